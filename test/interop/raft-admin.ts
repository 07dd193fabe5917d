/** The admin port of the Go peer, for a server of this repository: the same paths, the same answers, the same error texts. */
import { createServer, type IncomingMessage } from 'node:http';
import { toHex } from '../../src/base/bytes.ts';
import type { Refusal, Result } from '../../src/base/result.ts';
import { addVoter } from '../../src/node/raft/adding-voters.ts';
import { openRaft } from '../../src/node/raft/log-store.ts';
import type { RaftServer } from '../../src/node/raft/raft-server.ts';
import { ENTRY_TYPES } from '../../src/raft/messages.ts';
import { load } from './raft-load.ts';
import type { PeerMachine } from './peer-machine.ts';
import type { StallableStore } from './stallable-store.ts';

export interface AdminOptions<O> {
  readonly self: { readonly id: string; readonly address: string };
  readonly server: RaftServer<O>;
  readonly machine: PeerMachine<O>;
  readonly store: StallableStore;
  /** `host:port`, on loopback. */
  readonly address: string;
}

type Parameters = (name: string) => string;
type Handler = (parameters: Parameters, body: Uint8Array) => Promise<unknown>;

const CATCH_UP_LIMIT_MS = 10_000;
const ROLES = { follower: 'Follower', precandidate: 'Candidate', candidate: 'Candidate', leader: 'Leader' };
const SUFFRAGES = { voter: 'Voter', nonvoter: 'Nonvoter', staging: 'Staging' };

/** Errors of hashicorp/raft (`api.go`) for the codes of the same meaning. */
const TEXTS: Readonly<Record<string, string>> = {
  'not-leader': 'node is not the leader',
  transferring: 'leadership transfer in progress',
  busy: 'timed out enqueuing operation',
  'leadership-lost': 'leadership lost while committing log',
};

class Refused extends Error {
  constructor({ code, details, message }: Refusal) {
    super(TEXTS[code] ?? `${code}: ${message} ${JSON.stringify(details)}`);
  }
}

export function serveAdmin<O>(options: AdminOptions<O>): void {
  const handlers = handlersOf(options);
  const [host, port] = options.address.split(':');
  const http = createServer((incoming, outgoing) => {
    const url = new URL(incoming.url ?? '/', 'http://localhost');
    const handler = handlers[url.pathname];
    const answer = async (): Promise<void> => {
      const raw = await rawAnswer(options.machine, url);
      if (raw !== undefined) return void outgoing.writeHead(raw === null ? 404 : 200).end(raw);
      if (handler === undefined) {
        outgoing.writeHead(404).end();
        return;
      }
      const result = await handler((name) => url.searchParams.get(name) ?? '', await bodyOf(incoming));
      outgoing.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(result));
    };
    answer().catch((error: unknown) => {
      const message = error instanceof Error ? error.message : String(error);
      outgoing.writeHead(409, { 'content-type': 'application/json' }).end(JSON.stringify({ error: message }));
    });
  });
  http.listen({ host, port: Number(port) });
}

/** @returns undefined for a path whose answer is JSON; null where there is nothing */
async function rawAnswer<O>(machine: PeerMachine<O>, url: URL): Promise<Uint8Array | null | undefined> {
  if (url.pathname === '/get') return machine.get(url.searchParams.get('key') ?? '') ?? null;
  if (url.pathname === '/dump') return (await machine.dump()) ?? null;
  return undefined;
}

function handlersOf<O>({ machine, self, server, store }: AdminOptions<O>): Readonly<Record<string, Handler>> {
  const change = async (outcome: Promise<Result<number>>) => ({ index: taken(await outcome) });
  return {
    '/status': async () => statusOf(self.id, server),
    '/fsm': async (parameters) => machine.report(Number(parameters('tail'))),
    '/log': async (parameters) => storedLog(store, Number(parameters('from')), Number(parameters('n') || 1000)),
    '/apply': async (_, body) => {
      const { index, outcome } = taken(await server.propose(body));
      return { index, result: machine.resultOf(outcome) };
    },
    '/noop': async (_, body) =>
      new Promise((resolve, reject) => {
        const settle = (outcome: Result<{ readonly index: number }>): void =>
          outcome.ok ? resolve({ index: outcome.value.index }) : reject(new Refused(outcome.refusal));
        server.proposeWith(body, settle, ENTRY_TYPES.noop);
      }),
    '/bench': async (parameters) => bench(server, parameters),
    '/barrier': async () => taken(await server.barrier()) > 0,
    '/verify': async () => taken(await server.readIndex()) > 0,
    '/addvoter': async (parameters) =>
      change(addVoter(server, parameters('id'), parameters('addr'), CATCH_UP_LIMIT_MS, () => performance.now())),
    '/addnonvoter': async (parameters) =>
      change(server.changeConfiguration({ kind: 'addNonvoter', id: parameters('id'), address: parameters('addr') })),
    '/demote': async (parameters) => change(server.changeConfiguration({ kind: 'demoteVoter', id: parameters('id') })),
    '/remove': async (parameters) => change(server.changeConfiguration({ kind: 'removeServer', id: parameters('id') })),
    '/snapshot': async () => {
      if ((await server.snapshot()) === null) throw new Error('nothing new to snapshot');
      return true;
    },
    '/transfer': async (parameters) => taken(await server.transfer(parameters('id') || null)) >= 0,
    '/stall': async (parameters) => {
      store.stallFor(Number(parameters('ms')));
      return true;
    },
  };
}

function statusOf<O>(id: string, server: RaftServer<O>): unknown {
  const status = server.status();
  const { configuration, index } = status.configuration;
  return {
    id,
    state: ROLES[status.role],
    leader: status.leader?.address ?? '',
    lib: 'hotledger',
    lastIndex: status.lastIndex,
    appliedIndex: status.machineIndex,
    stats: {
      term: String(status.term),
      commit_index: String(status.commitIndex),
      last_log_index: String(status.lastIndex),
      last_snapshot_index: String(status.snapshot?.lastIndex ?? 0),
    },
    servers: configuration.servers.map(({ address, id: server, suffrage }) => ({
      id: server,
      addr: address,
      suffrage: SUFFRAGES[suffrage],
    })),
    configIndex: index,
  };
}

/** @throws CodedError `store-corrupt` where an entry between the first and the last is missing */
async function storedLog(store: StallableStore, from: number, count: number): Promise<unknown> {
  for (;;) {
    const { log } = await openRaft(store);
    const begin = Math.max(from, log.firstIndex);
    const end = Math.min(log.lastIndex, from + count - 1);
    const entries = [];
    for (let index = begin; index <= end; index++) {
      const entry = log.entry(index);
      if (entry === undefined) break;
      const { data, extensions, term, type } = entry;
      entries.push({ index, term, type, data: hexOf(data), extensions: hexOf(extensions) });
    }
    // Else it was compacted since it was opened.
    if (entries.length === Math.max(0, end - begin + 1)) return { first: log.firstIndex, last: log.lastIndex, entries };
  }
}

async function bench<O>(server: RaftServer<O>, parameters: Parameters): Promise<unknown> {
  const number = (name: string, otherwise: number) => Number(parameters(name) || otherwise);
  const [n, c, size, warm] = [number('n', 1000), number('c', 1), number('size', 300), number('warm', 200)];
  if (!(n >= 1 && c >= 1 && size >= 8)) throw new Error('n and c are at least 1, size at least 8');
  if (warm > 0) await load(server, warm, c, size);
  const { latenciesMs, secs } = await load(server, n, c, size);
  latenciesMs.sort();
  const at = (fraction: number) => latenciesMs[Math.floor(fraction * (n - 1))];
  const figures = { p50_ms: at(0.5), p95_ms: at(0.95), p99_ms: at(0.99), max_ms: latenciesMs[n - 1] };
  return { n, c, size, secs, ops_s: n / secs, ...figures };
}

function taken<T>(outcome: Result<T>): T {
  if (!outcome.ok) throw new Refused(outcome.refusal);
  return outcome.value;
}

function hexOf(bytes: Uint8Array | null): string {
  return bytes === null ? '' : toHex(bytes);
}

async function bodyOf(incoming: IncomingMessage): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return new Uint8Array(Buffer.concat(chunks));
}
