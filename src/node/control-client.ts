/** The other end of the control endpoint. */
import { request, type IncomingMessage } from 'node:http';
import { createInterface } from 'node:readline';
import { toHex } from '../base/bytes.ts';
import { fromBase64 } from '../base/base64.ts';
import { CodedError, codedError, type Refusal } from '../base/result.ts';
import type { KnownServer } from '../raft/sender.ts';
import type { KeyRange } from '../store/store.ts';
import { partsOf } from './ledger-pages.ts';
import type { Entry, OpenedView } from './ledger-views.ts';
import type { SignedClusterList } from './raft/cluster-list.ts';
import type { ExportQuery } from './projections/export.ts';
import type { HistoryQuery, HistoryReport } from './projections/history-report.ts';
import type { StatisticsQuery, StatisticsReport } from './projections/statistics-report.ts';
import type { RaftChange, RaftReport } from './raft/operations.ts';
import type { ReadReport } from './read-report.ts';
import type { LedgerFacts } from './replay/source.ts';
import type { WrittenSnapshot } from './snapshot/snapshot-writer.ts';
import { socketPath } from './socket-path.ts';
import type { CommitNotice, ComponentHealth, NodeStatus, ReadOptions } from './status.ts';

/** A node that answers at all answers within this time; reads ask other peers first. */
const DEADLINE_MS = 5_000;
const READ_DEADLINE_MS = 30_000;
const RAFT_DEADLINE_MS = 90_000;
/** A disk that is busy takes its time for a page. */
const PAGE_DEADLINE_MS = 30_000;
/** An old height is executed up to, from the beginning of the log at worst. */
const PAST_DEADLINE_MS = 3_600_000;
/** A large state takes its time. */
const SNAPSHOT_DEADLINE_MS = 3_600_000;

export interface HealthReport {
  readonly healthy: boolean;
  readonly components: readonly ComponentHealth[];
}

/** All calls throw CodedError `node-not-running` when nobody answers, and the node's own code when it refuses. */
export class ControlClient {
  readonly #socket: string;

  /** @param socket `control.sock` in the node's data directory */
  constructor(socket: string) {
    this.#socket = socket;
  }

  async status(): Promise<NodeStatus> {
    return (await this.#call('GET', '/status')) as NodeStatus;
  }

  async health(): Promise<HealthReport> {
    return (await this.#call('GET', '/health', undefined, DEADLINE_MS, [200, 503])) as HealthReport;
  }

  async read(peerId: string, options: ReadOptions = {}): Promise<ReadReport> {
    return (await this.#call('POST', '/read', { peerId, ...options }, READ_DEADLINE_MS)) as ReadReport;
  }

  async raftReport(): Promise<RaftReport> {
    return (await this.#call('GET', '/raft/status')) as RaftReport;
  }

  /** Settles when it is committed; a server that is to vote catches up before. */
  async raftChange(change: RaftChange): Promise<{ readonly index: number }> {
    return (await this.#call('POST', '/raft/change', change, RAFT_DEADLINE_MS)) as { readonly index: number };
  }

  async raftTransfer(to: string | null): Promise<{ readonly leader: string | null }> {
    const answer = await this.#call('POST', '/raft/transfer', { to }, RAFT_DEADLINE_MS);
    return answer as { readonly leader: string | null };
  }

  async raftSnapshot(): Promise<{ readonly lastIndex: number; readonly isNew: boolean }> {
    const answer = await this.#call('POST', '/raft/snapshot', {}, SNAPSHOT_DEADLINE_MS);
    return answer as { readonly lastIndex: number; readonly isNew: boolean };
  }

  /** The index of BASE. */
  async raftBase(): Promise<{ readonly index: number }> {
    return (await this.#call('POST', '/raft/base', {}, RAFT_DEADLINE_MS)) as { readonly index: number };
  }

  async raftName(servers: readonly KnownServer[]): Promise<void> {
    await this.#call('POST', '/raft/name', { servers });
  }

  async raftReplaceList(list: unknown): Promise<SignedClusterList> {
    return (await this.#call('POST', '/raft/list', list)) as SignedClusterList;
  }

  async ledgerFacts(): Promise<LedgerFacts> {
    return (await this.#call('GET', '/ledger')) as LedgerFacts;
  }

  /** Encoded sealed blocks from this height on, at least one of those up to `to`. */
  async ledgerBlocks(from: number, to: number): Promise<readonly Uint8Array[]> {
    return partsOf(await this.#page(`/ledger/blocks?from=${from}&to=${to}`));
  }

  /** Keys and values in hex. It is closed when nobody asks of it for a minute. */
  async openLedgerView(): Promise<
    Omit<OpenedView, 'signs'> & { readonly signs: readonly (readonly [string, string])[] }
  > {
    const opened = await this.#call('POST', '/ledger/views');
    return opened as Awaited<ReturnType<ControlClient['openLedgerView']>>;
  }

  /** The first entries of a range; none: there are no more. */
  async ledgerRows(view: number, range: KeyRange): Promise<readonly Entry[]> {
    const bounds = Object.entries(range).map(([bound, key]) => `${bound}=${toHex(key as Uint8Array)}`);
    const parts = partsOf(await this.#page(`/ledger/views/${view}/rows?${bounds.join('&')}`));
    return Array.from({ length: parts.length / 2 }, (_, i) => [
      parts[2 * i] as Uint8Array,
      parts[2 * i + 1] as Uint8Array,
    ]);
  }

  async closeLedgerView(view: number): Promise<void> {
    await this.#call('DELETE', `/ledger/views/${view}`);
  }

  /** At the last block. Settles when it is written. */
  async snapshotCreate(): Promise<WrittenSnapshot> {
    return (await this.#call('POST', '/snapshot', {}, SNAPSHOT_DEADLINE_MS)) as WrittenSnapshot;
  }

  async history(query: HistoryQuery): Promise<HistoryReport> {
    return (await this.#call('POST', '/history', query, READ_DEADLINE_MS)) as HistoryReport;
  }

  async statistics(query: StatisticsQuery): Promise<StatisticsReport> {
    return (await this.#call('POST', '/statistics', query, READ_DEADLINE_MS)) as StatisticsReport;
  }

  /** What proves a record at a height: for `verifyRead`, as it is the word of nobody. */
  async at(peerId: string, height: number): Promise<Uint8Array> {
    const { answer } = (await this.#call('POST', '/at', { peerId, height }, PAST_DEADLINE_MS)) as { answer?: string };
    const bytes = typeof answer === 'string' ? fromBase64(answer) : undefined;
    if (bytes !== undefined) return bytes;
    throw codedError('answer-invalid', 'the node sent no answer');
  }

  /** The lines as they come. @throws CodedError `export-cut-off` when the node ends before they do */
  async export(query: ExportQuery): Promise<{ readonly height: number; readonly text: AsyncIterable<Buffer> }> {
    const response = await this.#open('POST', '/export', query, undefined);
    if (response.statusCode !== 200) throw await refusalIn(response);
    return { height: Number(response.headers['hotledger-height']), text: wholeText(response) };
  }

  /** @param projections names; none: all */
  async rebuild(projections: readonly string[]): Promise<{ readonly projections: readonly string[] }> {
    const answer = await this.#call('POST', '/rebuild', { projections });
    return answer as { readonly projections: readonly string[] };
  }

  /** Asks the node to stop; its process ends some moments later. */
  async stop(): Promise<void> {
    await this.#call('POST', '/stop', {}, DEADLINE_MS, [202]);
  }

  /** Blocks as they become durable, until the signal aborts or the node ends. */
  async *commits(signal: AbortSignal): AsyncGenerator<CommitNotice> {
    const response = await this.#open('GET', '/commits', undefined, signal);
    try {
      for await (const line of createInterface({ input: response })) yield JSON.parse(line) as CommitNotice;
    } catch (error) {
      // A node that ends without an answer's end, as one that is killed does, has ended all the same.
      const cutOff = (error as NodeJS.ErrnoException).code === 'ECONNRESET';
      if (!signal.aborted && !cutOff) throw error;
    } finally {
      response.destroy();
    }
  }

  async #call(
    method: string,
    path: string,
    body?: unknown,
    deadlineMs = DEADLINE_MS,
    expected: readonly number[] = [200],
  ): Promise<unknown> {
    const { bytes, status } = await this.#answer(method, path, body, deadlineMs);
    const answer: unknown = JSON.parse(bytes.toString('utf8'));
    if (expected.includes(status)) return answer;
    throw failure(status, answer as Partial<Refusal>);
  }

  async #page(path: string): Promise<Buffer> {
    const { bytes, status } = await this.#answer('GET', path, undefined, PAGE_DEADLINE_MS);
    if (status === 200) return bytes;
    throw failure(status, JSON.parse(bytes.toString('utf8')) as Partial<Refusal>);
  }

  async #answer(
    method: string,
    path: string,
    body: unknown,
    deadlineMs: number,
  ): Promise<{ readonly bytes: Buffer; readonly status: number }> {
    const response = await this.#open(method, path, body, AbortSignal.timeout(deadlineMs));
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    return { bytes: Buffer.concat(chunks), status: response.statusCode ?? 0 };
  }

  #open(method: string, path: string, body: unknown, signal: AbortSignal | undefined): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const options = { socketPath: socketPath(this.#socket), method, path, agent: false };
      const call = request(signal === undefined ? options : { ...options, signal }, resolve);
      call.once('error', (error) => {
        reject(
          codedError(
            'node-not-running',
            `no node answers on ${this.#socket}; start it with "hotledger start"`,
            { socket: this.#socket, reason: error.message },
            { cause: error },
          ),
        );
      });
      if (body !== undefined) call.setHeader('content-type', 'application/json');
      call.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }
}

function failure(status: number, answer: Partial<Refusal>): CodedError {
  return new CodedError({
    code: answer.code ?? 'control-failed',
    message: answer.message ?? `the node answered with status ${status}`,
    details: answer.details ?? {},
  });
}

async function jsonIn(response: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown;
}

async function refusalIn(response: IncomingMessage): Promise<CodedError> {
  const answer = (await jsonIn(response)) as Partial<Refusal>;
  return new CodedError({
    code: answer.code ?? 'control-failed',
    message: answer.message ?? `the node answered with status ${response.statusCode}`,
    details: answer.details ?? {},
  });
}

/** A text that was cut off must not pass for a whole one. */
async function* wholeText(response: IncomingMessage): AsyncGenerator<Buffer, void> {
  try {
    for await (const chunk of response) yield chunk as Buffer;
  } catch (error) {
    throw codedError('export-cut-off', 'the node ended the export before its end', {}, { cause: error });
  } finally {
    response.destroy();
  }
}
