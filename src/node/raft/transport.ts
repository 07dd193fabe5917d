/**
 * hashicorp/raft's NetworkTransport: requests of other servers come in and are answered, requests to other servers go out,
 * over any kind of byte stream. What a request means is not looked at here, and whether its sender is who it says neither:
 * the handler asks `senderOf` (`src/raft/sender.ts`) first.
 */
import type { Refusal } from '../../base/result.ts';
import type { ByteStreams, RemoteIdentity } from '../../net/byte-streams.ts';
import type { Channel } from '../../raft/contract.ts';
import type { CallFailure, Claim, RaftRequest, RaftResponse, ServerAddress, ServerId } from '../../raft/messages.ts';
import type { Dialect } from '../../raft/wire/dialect.ts';
import type { WireLimits } from '../../raft/wire/limits.ts';

/** A request of another server. Its protocol version is one that this server speaks. */
export interface IncomingRequest {
  readonly request: RaftRequest;
  readonly remote: RemoteIdentity;
  /**
   * The bytes of an `installSnapshot`, `sizeBytes` in all, read no faster than they are taken; null for all others. It
   * throws `stream-closed` when the sender goes away within. Whoever answers before the end need not read on: what is left
   * is passed over, and only then the answer leaves.
   */
  readonly snapshot: AsyncIterable<Uint8Array> | null;
}

export type RequestAnswer =
  | { readonly kind: 'response'; readonly response: RaftResponse }
  /**
   * In Go's manner: a text, and no response. The connection stays of use, unless it `closes`: so is a stranger told, who
   * is not to keep a place.
   */
  | { readonly kind: 'error'; readonly error: string; readonly closes?: true }
  /** As a Go node that cannot make sense of a request: nothing is sent and the connection is closed. */
  | { readonly kind: 'close' };

/**
 * Answers in any order; answers leave in the order of the requests of a connection. A rejection with a CodedError is told
 * to the sender as an error, any other is our own bug.
 */
export type RequestHandler = (incoming: IncomingRequest) => Promise<RequestAnswer>;

export type CallResult =
  | { readonly ok: true; readonly response: RaftResponse; readonly sender: Claim }
  /** `error`: the peer's own text is in the message. */
  | { readonly ok: false; readonly failure: CallFailure; readonly refusal: Refusal };

export interface Call {
  readonly address: ServerAddress;
  readonly channel: Channel;
  readonly request: RaftRequest;
  /** With an `installSnapshot`: exactly `sizeBytes` bytes, read no faster than they leave. */
  readonly snapshot?: AsyncIterable<Uint8Array>;
}

export interface RaftTransportOptions {
  readonly streams: ByteStreams;
  /** What responses say of their sender. */
  readonly self: { readonly id: ServerId; readonly address: ServerAddress };
  readonly dialect: Dialect;
  readonly onRequest: RequestHandler;
  /** What a peer sent that cannot be taken; its connection is closed. */
  readonly onRefused?: (remote: RemoteIdentity, refusal: Refusal) => void;
  readonly serverLimits?: Partial<ServerLimits>;
  readonly clientLimits?: Partial<ClientLimits>;
  readonly wireLimits?: WireLimits;
}

/** Of what others open to this server. */
export interface ServerLimits {
  readonly maxConnections: number;
  /** From one IP address or peer. A Go peer over libp2p opens one for each heartbeat and each vote. */
  readonly maxConnectionsPerRemote: number;
  /** Requests of one connection that are not answered; beyond it, it is not read. */
  readonly maxRequestsUnderWay: number;
  /** Their bytes. One request is always taken. */
  readonly maxBytesUnderWay: number;
  /** Of requests that have begun and not ended, on all connections together. */
  readonly maxGatheredBytes: number;
  /** Of a snapshot, that were read and not taken. */
  readonly maxSnapshotBytesWaiting: number;
  /**
   * A request or a snapshot that has begun and of which nothing comes for so long is given up, and a connection on which
   * nothing was ever asked. Others stay open for as long as they like: Go keeps them for the next election.
   */
  readonly stalledMs: number;
}

export const DEFAULT_SERVER_LIMITS: ServerLimits = {
  maxConnections: 1024,
  maxConnectionsPerRemote: 256,
  maxRequestsUnderWay: 128,
  maxBytesUnderWay: 64 << 20,
  maxGatheredBytes: 256 << 20,
  maxSnapshotBytesWaiting: 1 << 20,
  stalledMs: 30_000,
};

/** Of what this server opens to others. */
export interface ClientLimits {
  /** Until a call is answered; for a snapshot so long for each 256 KiB, as in Go. */
  readonly callDeadlineMs: number;
  readonly dialDeadlineMs: number;
  /** After a dial that failed the next one waits this long, doubled each time. Calls meanwhile are `unreachable`. */
  readonly redialMinMs: number;
  readonly redialMaxMs: number;
  /** Election calls to one peer at the same time; connections that are kept for the next. */
  readonly maxElectionCalls: number;
  readonly maxElectionConnectionsKept: number;
  /** Calls of one channel to one peer that are not answered. */
  readonly maxCallsWaiting: number;
  readonly maxBytesWaiting: number;
  /** Peers with connections; beyond it those go that were called least lately. */
  readonly maxPeers: number;
}

export const DEFAULT_CLIENT_LIMITS: ClientLimits = {
  callDeadlineMs: 10_000,
  dialDeadlineMs: 5_000,
  redialMinMs: 10,
  redialMaxMs: 200,
  maxElectionCalls: 8,
  maxElectionConnectionsKept: 3,
  maxCallsWaiting: 512,
  maxBytesWaiting: 64 << 20,
  maxPeers: 64,
};

/** The whole transport of one server. */
export interface Transport {
  /** @throws CodedError `listen-failed` */
  start(): Promise<void>;
  /**
   * Never rejects, and always settles within the deadline. Calls of `heartbeat` and of `log` to one address keep their
   * order; election calls go side by side.
   */
  call(call: Call): Promise<CallResult>;
  /** Closes connections to all other addresses: what is left of them after a change of the configuration. */
  retain(addresses: readonly ServerAddress[]): void;
  /** Closes everything; calls that wait fail as `closed`. */
  stop(): Promise<void>;
}
