/** The admin port of `go-peer/README.md` for our server: the same paths and answers, with our codes beside the texts. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { toHex } from '../../src/base/bytes.ts';
import { CodedError, refuse, unwrap, type Refusal } from '../../src/base/result.ts';
import { openRaft } from '../../src/node/raft/log-store.ts';
import type { RaftServer } from '../../src/node/raft/raft-server.ts';
import type { RaftRole } from '../../src/raft/contract.ts';
import type { Suffrage } from '../../src/raft/messages.ts';
import { runLoad } from './our-load.ts';
import type { RecorderMachine } from './recorder-machine.ts';
import type { StallingStore } from './stalling-store.ts';

export interface AdminOptions {
  readonly server: RaftServer<number>;
  readonly machine: RecorderMachine;
  readonly store: StallingStore;
  /** What of others was refused, by code. */
  readonly refusals: ReadonlyMap<string, number>;
}

type Handler = (query: URLSearchParams, body: () => Promise<Uint8Array>) => unknown;

/** As Go says it. */
const ROLES: Readonly<Record<RaftRole, string>> = {
  follower: 'Follower',
  precandidate: 'Candidate',
  candidate: 'Candidate',
  leader: 'Leader',
};
const SUFFRAGES: Readonly<Record<Suffrage, string>> = { voter: 'Voter', nonvoter: 'Nonvoter', staging: 'Staging' };

/** Listens on loopback, and says so by answering. */
export async function serveAdmin(port: number, options: AdminOptions): Promise<void> {
  const handlers = handlersOf(options);
  const http = createServer((request, response) => void answer(handlers, request, response));
  await new Promise<void>((resolve, reject) => {
    http.once('error', reject);
    http.listen(port, '127.0.0.1', resolve);
  });
}

async function answer(
  handlers: Readonly<Record<string, Handler>>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost');
  const say = (status: number, value: unknown): void => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(value));
  };
  const handler = handlers[pathname];
  if (handler === undefined) return say(404, { error: 'no such path' });
  try {
    say(200, (await handler(searchParams, () => bodyOf(request))) ?? true);
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    say(409, { error: error.message, code: error.code });
  }
}

async function bodyOf(request: IncomingMessage): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Uint8Array.from(Buffer.concat(chunks));
}

function handlersOf({ machine, refusals, server, store }: AdminOptions): Readonly<Record<string, Handler>> {
  const settled = async (index: Promise<{ index: number }>): Promise<unknown> => await index;
  const change = async (made: ReturnType<RaftServer<number>['changeConfiguration']>): Promise<{ index: number }> => ({
    index: unwrap(await made),
  });
  const id = (query: URLSearchParams): string => query.get('id') ?? '';
  const address = (query: URLSearchParams): string => query.get('addr') ?? '';
  return {
    '/status': () => statusOf(server, refusals),
    '/fsm': (query) => reportOf(machine, Number(query.get('tail') ?? 0)),
    '/log': (query) => logOf(store, Number(query.get('from') ?? 1), Number(query.get('n') ?? 1000)),
    '/apply': async (_query, body) => {
      const { index, outcome } = unwrap(await server.propose(await body()));
      return { index, result: outcome };
    },
    '/barrier': async () => unwrap(await server.barrier()),
    '/verify': async () => unwrap(await server.readIndex()),
    '/addvoter': (query) =>
      settled(change(server.changeConfiguration({ kind: 'addVoter', id: id(query), address: address(query) }))),
    '/addnonvoter': (query) =>
      settled(change(server.changeConfiguration({ kind: 'addNonvoter', id: id(query), address: address(query) }))),
    '/demote': (query) => settled(change(server.changeConfiguration({ kind: 'demoteVoter', id: id(query) }))),
    '/remove': (query) => settled(change(server.changeConfiguration({ kind: 'removeServer', id: id(query) }))),
    '/snapshot': async () => {
      if ((await server.snapshot()) === null) unwrap(refuse('nothing-new', 'nothing new to snapshot'));
    },
    '/transfer': async (query) => unwrap(await server.transfer(query.get('id'))),
    '/stall': (query) => store.stallFor(Number(query.get('ms') ?? 0)),
    '/bench': (query) => {
      const number = (name: string): number => Number(query.get(name));
      return runLoad(server, { n: number('n'), c: number('c'), size: number('size'), warm: number('warm') });
    },
  };
}

function statusOf(server: RaftServer<number>, refusals: ReadonlyMap<string, number>): unknown {
  const status = server.status();
  const { configuration } = status.configuration;
  return {
    id: status.self,
    state: ROLES[status.role],
    leader: status.leader?.address ?? '',
    lastIndex: status.durableIndex,
    appliedIndex: status.appliedIndex,
    configIndex: status.configuration.index,
    servers: configuration.servers.map((server) => ({
      id: server.id,
      addr: server.address,
      suffrage: SUFFRAGES[server.suffrage],
    })),
    stats: {
      term: String(status.term),
      commit_index: String(status.commitIndex),
      last_snapshot_index: String(status.snapshot?.lastIndex ?? 0),
    },
    refusals: Object.fromEntries(refusals),
  };
}

function reportOf(machine: RecorderMachine, tail: number): unknown {
  const { count, hash, kept, last, restores } = machine;
  const entries = machine.tail(tail).map(({ index, term, data }) => ({ index, term, data: toHex(data) }));
  return { count, last, hash, restores, kept, ...(tail > 0 ? { tail: entries } : {}) };
}

async function logOf(store: StallingStore, from: number, count: number): Promise<unknown> {
  const { log } = await openRaft(store);
  const entries: unknown[] = [];
  for (let index = Math.max(from, log.firstIndex); index <= log.lastIndex && entries.length < count; index++) {
    const entry = log.entry(index);
    if (entry === undefined) break;
    const { data, extensions, term, type } = entry;
    entries.push({ index, term, type, data: toHex(data ?? EMPTY), extensions: toHex(extensions ?? EMPTY) });
  }
  return { first: log.firstIndex, last: log.lastIndex, entries };
}

const EMPTY = new Uint8Array(0);

/** Counts refusals by their codes, and writes each to the log. */
export function refusalCounter(): {
  readonly counts: ReadonlyMap<string, number>;
  readonly note: (refusal: Refusal) => void;
} {
  const counts = new Map<string, number>();
  const note = ({ code, details, message }: Refusal): void => {
    counts.set(code, (counts.get(code) ?? 0) + 1);
    console.log(`refused: ${code}: ${message} ${JSON.stringify(details)}`);
  };
  return { counts, note };
}
