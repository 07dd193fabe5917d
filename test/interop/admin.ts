/** The admin port of a server under test, `go-peer/README.md`: what it says of itself, and what it can be asked to do. */
import { request } from 'node:http';
import { codedError } from '../../src/base/result.ts';

export type Suffrage = 'Voter' | 'Nonvoter' | 'Staging';

export interface PeerStatus {
  readonly id: string;
  readonly role: 'Follower' | 'Candidate' | 'Leader' | 'Shutdown';
  /** Its address; empty when none is known. */
  readonly leader: string;
  readonly term: number;
  readonly lastIndex: number;
  readonly commitIndex: number;
  readonly appliedIndex: number;
  readonly snapshotIndex: number;
  readonly configIndex: number;
  readonly servers: readonly { readonly id: string; readonly addr: string; readonly suffrage: Suffrage }[];
}

/** Of the recorder and of the map alike; what the map alone has is `size` and `malformed`. */
export interface MachineReport {
  readonly count: number;
  /** Index of the last command; 0 when the map was restored and nothing came since. */
  readonly last: number;
  readonly hash: string;
  readonly restores: number;
  readonly size?: number;
  readonly malformed?: number;
  /** Of a ledger's last block, and the root of its state; of a server of ours. */
  readonly height?: number | null;
  readonly stateRoot?: string | null;
  readonly tail?: readonly { readonly index: number; readonly term: number; readonly data: string }[];
}

export interface StoredLog {
  readonly first: number;
  readonly last: number;
  /** Data and extensions in hexadecimal. */
  readonly entries: readonly {
    readonly index: number;
    readonly term: number;
    readonly type: number;
    readonly data: string;
    readonly extensions: string;
  }[];
}

/** What became of a command, as far as its writer can know. */
export type Outcome =
  | { readonly kind: 'applied'; readonly index: number; readonly result: unknown }
  /** It is in no log and never will be. */
  | { readonly kind: 'refused'; readonly why: string }
  | { readonly kind: 'unknown'; readonly why: string };

export interface BenchFigures {
  readonly n: number;
  readonly c: number;
  readonly size: number;
  readonly secs: number;
  readonly ops_s: number;
  readonly p50_ms: number;
  readonly p95_ms: number;
  readonly p99_ms: number;
  readonly max_ms: number;
}

/** Errors of hashicorp/raft's `Apply` (api.go) after which the command is certainly not in the log. */
const CERTAINLY_NOT_WRITTEN = [
  'node is not the leader',
  'leadership transfer in progress',
  'timed out enqueuing operation',
  'raft is already shutdown',
];

const REQUEST_LIMIT_MS = 15_000;

interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

export class Admin {
  readonly port: number;

  constructor(port: number) {
    this.port = port;
  }

  /** @throws CodedError `node-not-running`, as everything here does when nobody answers */
  async status(): Promise<PeerStatus> {
    const raw = (await this.#ask('GET', '/status')) as Record<string, never>;
    const stats: Readonly<Record<string, string>> = raw['stats'] ?? {};
    return {
      id: raw['id'] ?? '',
      role: raw['state'] ?? 'Shutdown',
      leader: raw['leader'] ?? '',
      term: Number(stats['term']),
      lastIndex: raw['lastIndex'] ?? 0,
      commitIndex: Number(stats['commit_index']),
      appliedIndex: raw['appliedIndex'] ?? 0,
      snapshotIndex: Number(stats['last_snapshot_index']),
      configIndex: raw['configIndex'] ?? 0,
      servers: raw['servers'] ?? [],
    };
  }

  /** @param tail how many of the last commands to show, where the machine keeps them */
  async machine(tail = 0): Promise<MachineReport> {
    return (await this.#ask('GET', `/fsm?tail=${tail}`)) as MachineReport;
  }

  /** @returns undefined where there is no such key */
  async get(key: string): Promise<string | undefined> {
    const { status, body } = await exchange(this.port, 'GET', `/get?key=${encodeURIComponent(key)}`);
    return status === 404 ? undefined : body.toString();
  }

  /** All keys and values, byte for byte as in a snapshot. */
  async dump(): Promise<Uint8Array> {
    const { body, status } = await exchange(this.port, 'GET', '/dump');
    if (status !== 200) throw codedError('peer-refused', 'there is no map', { status });
    return body;
  }

  async log(from = 1, count = 100_000): Promise<StoredLog> {
    return (await this.#ask('GET', `/log?from=${from}&n=${count}`)) as StoredLog;
  }

  /** Writes one command. Never throws for what the server or its death does to it. */
  async apply(command: string | Uint8Array, limitMs = REQUEST_LIMIT_MS): Promise<Outcome> {
    try {
      const { status, body } = await exchange(this.port, 'POST', '/apply', command, limitMs);
      const answer = JSON.parse(body.toString()) as { index?: number; result?: unknown; error?: string };
      if (status === 200) return { kind: 'applied', index: answer.index ?? 0, result: answer.result };
      const why = answer.error ?? `status ${status}`;
      return { kind: CERTAINLY_NOT_WRITTEN.includes(why) ? 'refused' : 'unknown', why };
    } catch (error) {
      const { details, message } = error as { details?: { asked?: boolean }; message: string };
      return { kind: details?.asked === false ? 'refused' : 'unknown', why: message };
    }
  }

  /** A no-op with data, which a server of ours alone can be asked to write. */
  async noop(data: Uint8Array): Promise<void> {
    const { status, body } = await exchange(this.port, 'POST', '/noop', data);
    if (status !== 200) throw codedError('peer-refused', body.toString(), { path: '/noop' });
  }

  async barrier(): Promise<void> {
    await this.#ask('POST', '/barrier');
  }

  async verifyLeader(): Promise<void> {
    await this.#ask('POST', '/verify');
  }

  /** @returns the index of the change in the log */
  addVoter(id: string, address: string): Promise<number> {
    return this.#change('addvoter', { id, addr: address });
  }

  addNonvoter(id: string, address: string): Promise<number> {
    return this.#change('addnonvoter', { id, addr: address });
  }

  demote(id: string): Promise<number> {
    return this.#change('demote', { id });
  }

  remove(id: string): Promise<number> {
    return this.#change('remove', { id });
  }

  async snapshot(): Promise<void> {
    await this.#ask('POST', '/snapshot');
  }

  /** To the most advanced voter where nobody is named. Resolves when the library says that it is done. */
  async transfer(to?: { readonly id: string; readonly address: string }): Promise<void> {
    await this.#ask('POST', `/transfer${to === undefined ? '' : query({ id: to.id, addr: to.address })}`);
  }

  /** Every write of the log waits for this long from now on; 0 ends it. */
  async stall(forMs: number): Promise<void> {
    await this.#ask('POST', `/stall?ms=${forMs}`);
  }

  async bench(
    load: { readonly n: number; readonly c: number; readonly size: number; readonly warm: number },
    limitMs: number,
  ): Promise<BenchFigures> {
    return (await this.#ask('POST', `/bench${query(load)}`, limitMs)) as BenchFigures;
  }

  async #change(what: string, parameters: Readonly<Record<string, string>>): Promise<number> {
    return ((await this.#ask('POST', `/${what}${query(parameters)}`)) as { index: number }).index;
  }

  /** @throws CodedError `peer-refused` with the text of the library */
  async #ask(method: 'GET' | 'POST', path: string, limitMs = REQUEST_LIMIT_MS): Promise<unknown> {
    const { status, body } = await exchange(this.port, method, path, undefined, limitMs);
    const answer: unknown = JSON.parse(body.toString());
    if (status !== 200) throw codedError('peer-refused', (answer as { error: string }).error, { path });
    return answer;
  }
}

function query(parameters: Readonly<Record<string, string | number>>): string {
  const pairs = Object.entries(parameters).map(([name, value]) => [name, String(value)]);
  return `?${new URLSearchParams(pairs).toString()}`;
}

/** One request on a connection of its own, as a server that was killed leaves others broken. */
function exchange(
  port: number,
  method: string,
  path: string,
  body?: string | Uint8Array,
  limitMs = REQUEST_LIMIT_MS,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let asked = false;
    const failed = (error: Error): void =>
      reject(codedError('node-not-running', `${path}: ${error.message}`, { asked }, { cause: error }));
    const outgoing = request(
      { port, host: '127.0.0.1', method, path, agent: false, signal: AbortSignal.timeout(limitMs) },
      (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
        incoming.once('error', failed);
        incoming.once('end', () => resolve({ status: incoming.statusCode ?? 0, body: Buffer.concat(chunks) }));
      },
    );
    outgoing.once('error', failed);
    outgoing.once('socket', (socket) => socket.once('connect', () => (asked = true)));
    outgoing.end(body);
  });
}
