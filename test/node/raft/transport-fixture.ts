/** Servers with real sockets, for tests of the transport: whole ones, and raw ends that say what no server would. */
import { afterEach } from 'vitest';
import type { ByteConnection, ByteStreams, RemoteIdentity } from '../../../src/net/byte-streams.ts';
import { NetworkTransport } from '../../../src/node/raft/network-transport.ts';
import type {
  IncomingRequest,
  RaftTransportOptions,
  RequestAnswer,
  RequestHandler,
} from '../../../src/node/raft/transport.ts';
import type {
  AppendEntriesRequest,
  AppendEntriesResponse,
  Entry,
  InstallSnapshotRequest,
  PreVoteRequest,
  RaftRequest,
  RaftResponse,
  RequestVoteRequest,
} from '../../../src/raft/messages.ts';
import { DEFAULT_DIALECT } from '../../../src/raft/wire/dialect.ts';
import { RequestParser, type Parsed } from '../../../src/raft/wire/request-parser.ts';
import { encodeResponse } from '../../../src/raft/wire/response-codec.ts';
import { Recorded, type StreamsPair } from '../../net/byte-streams.ts';

export const SERVER = { id: 'n1', address: '127.0.0.1:7101' };
export const CLIENT = { id: 'n2', address: '127.0.0.1:7102' };

const running: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((each) => each.stop()));
});

/** Stopped after the test. */
export function transport(
  streams: ByteStreams,
  onRequest: RequestHandler,
  options: Partial<RaftTransportOptions> = {},
): NetworkTransport {
  const made = new NetworkTransport({ streams, self: SERVER, dialect: DEFAULT_DIALECT, onRequest, ...options });
  running.push(made);
  return made;
}

/** A server that notes what it is asked, and a raw connection to it. */
export class Asked {
  readonly requests: IncomingRequest[] = [];
  readonly refusals: string[] = [];
  readonly server: NetworkTransport;
  readonly #pair: StreamsPair;

  constructor(pair: StreamsPair, answer: RequestHandler, options: Partial<RaftTransportOptions> = {}) {
    this.#pair = pair;
    this.server = transport(
      pair.server,
      async (incoming) => {
        this.requests.push(incoming);
        return await answer(incoming);
      },
      { onRefused: (_remote: RemoteIdentity, { code }) => this.refusals.push(code), ...options },
    );
  }

  async dial(): Promise<Recorded> {
    return new Recorded(await this.#pair.client.dial(this.#pair.address(), 5_000));
  }
}

/** The other way round: a raw listener that a transport dials. */
export class RawServer {
  readonly connections: RawPeer[] = [];
  /** For each new connection; none: it is left alone. */
  onRequest: (peer: RawPeer, request: Parsed) => void = () => {};
  onConnection: (peer: RawPeer) => void = () => {};

  async listen(pair: StreamsPair): Promise<void> {
    running.push(pair.server);
    await pair.server.listen((connection) => {
      const peer = new RawPeer(connection, (parsed) => this.onRequest(peer, parsed));
      this.connections.push(peer);
      this.onConnection(peer);
    });
  }

  /** Of all connections. */
  get requests(): readonly RaftRequest[] {
    return this.connections.flatMap(({ requests }) => requests);
  }
}

export class RawPeer {
  readonly connection: ByteConnection;
  readonly requests: RaftRequest[] = [];
  bodyBytes = 0;
  isClosed = false;

  constructor(connection: ByteConnection, onRequest: (parsed: Parsed) => void) {
    this.connection = connection;
    const parser = new RequestParser();
    connection.start({
      onBytes: (bytes) => {
        parser.push(bytes);
        for (let next = parser.next(); next?.ok === true; next = parser.next()) {
          if (next.value.kind === 'request') this.requests.push(next.value.request);
          if (next.value.kind === 'body') this.bodyBytes += next.value.bytes.length;
          onRequest(next.value);
        }
      },
      onWritable: () => {},
      onClosed: () => (this.isClosed = true),
    });
  }

  answer(response: RaftResponse): void {
    this.connection.write(responseBytes(response));
  }
}

export function responseBytes(response: RaftResponse): Uint8Array {
  return encodeResponse({ error: '', response, protocolVersion: 3, sender: SERVER, peers: null }, DEFAULT_DIALECT);
}

export const HEADER = { protocolVersion: 3, sender: CLIENT };

export function append(prevIndex: number, entries: readonly Entry[] = []): AppendEntriesRequest {
  return {
    ...{ kind: 'appendEntries', ...HEADER, term: 5, leader: CLIENT.address, prevIndex, prevTerm: 5, entries },
    commitIndex: 1,
  };
}

export function heartbeat(term = 5): AppendEntriesRequest {
  return { ...append(0), term, prevTerm: 0, entries: null, commitIndex: 0 };
}

export function vote(term = 6): RequestVoteRequest {
  return {
    ...{ kind: 'requestVote', ...HEADER, term, candidate: CLIENT.address, lastIndex: 1, lastTerm: 1 },
    isTransfer: false,
  };
}

export function preVote(term = 6): PreVoteRequest {
  return { kind: 'preVote', ...HEADER, term, lastIndex: 1, lastTerm: 1 };
}

export function snapshotOf(sizeBytes: number): InstallSnapshotRequest {
  return {
    ...{ kind: 'installSnapshot', ...HEADER, term: 5, leader: CLIENT.address, lastIndex: 9, lastTerm: 5, sizeBytes },
    ...{ configuration: { servers: [{ ...SERVER, suffrage: 'voter' }] }, configurationIndex: 1 },
  };
}

export function entry(index: number, bytes: number): Entry {
  return { index, term: 5, type: 0, data: new Uint8Array(bytes).fill(index), extensions: null, appendedAt: undefined };
}

export function appended(lastIndex: number): AppendEntriesResponse {
  return { kind: 'appendEntries', term: 5, lastIndex, success: true, noRetryBackoff: false };
}

/** What a server in agreement answers; of an append the index before it, so that answers can be told apart. */
export function yes({ request }: Pick<IncomingRequest, 'request'>): RequestAnswer {
  return { kind: 'response', response: agreed(request) };
}

export function agreed(request: RaftRequest): RaftResponse {
  switch (request.kind) {
    case 'appendEntries':
      return appended(request.prevIndex);
    case 'requestVote':
    case 'preVote':
      return { kind: request.kind, term: request.term, granted: true };
    case 'installSnapshot':
      return { kind: 'installSnapshot', term: request.term, success: true };
    case 'timeoutNow':
      return { kind: 'timeoutNow' };
  }
}
