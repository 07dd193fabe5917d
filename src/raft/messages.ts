/**
 * What servers of a Raft cluster say to each other, in the words of hashicorp/raft (`commands.go`, `log.go`,
 * `configuration.go`), without anything of how it is put on a wire (`wire.ts`).
 *
 * Indexes and terms are whole numbers up to 2^53 - 1; a wire that carries more is refused.
 */

/** Names a server for ever. Over libp2p it is the peer id. */
export type ServerId = string;
/** Where a server is reached: `host:port`, or over libp2p the peer id. */
export type ServerAddress = string;

/** Types of log entries that exist. Any other makes a Go node panic, so none is ever written. */
export const ENTRY_TYPES = {
  command: 0,
  noop: 1,
  /** Protocol versions 0 and 1: data is the list of all addresses. */
  addPeer: 2,
  removePeer: 3,
  barrier: 4,
  configuration: 5,
} as const;

export type EntryType = (typeof ENTRY_TYPES)[keyof typeof ENTRY_TYPES];

/** One entry of the log. What a peer put into it travels on unchanged. */
export interface Entry {
  readonly index: number;
  readonly term: number;
  readonly type: EntryType;
  /** Null and empty are two encodings of nothing. */
  readonly data: Uint8Array | null;
  readonly extensions: Uint8Array | null;
  /** When the leader appended it, as it came; undefined where the leader's version has no such field. Never judged. */
  readonly appendedAt: Uint8Array | null | undefined;
}

export type Suffrage = 'voter' | 'nonvoter' | 'staging';

export interface Server {
  readonly id: ServerId;
  readonly address: ServerAddress;
  readonly suffrage: Suffrage;
}

export interface Configuration {
  readonly servers: readonly Server[];
}

/** A configuration and where it is in the log. */
export interface LoggedConfiguration {
  readonly index: number;
  readonly configuration: Configuration;
}

/** Who sent a message, as the message claims: versions before 1.3.7 say nothing. */
export interface Claim {
  readonly id: ServerId | null;
  readonly address: ServerAddress | null;
}

interface RequestHeader {
  readonly protocolVersion: number;
  readonly sender: Claim;
}

export interface AppendEntriesRequest extends RequestHeader {
  readonly kind: 'appendEntries';
  readonly term: number;
  /** The leader's address. */
  readonly leader: ServerAddress;
  readonly prevIndex: number;
  readonly prevTerm: number;
  /** Null in a heartbeat, which is nothing else. */
  readonly entries: readonly Entry[] | null;
  readonly commitIndex: number;
}

export interface AppendEntriesResponse {
  readonly kind: 'appendEntries';
  readonly term: number;
  /**
   * The last index before the request was processed. Where the entry at `prevIndex` is of another term: an earlier one,
   * behind which the logs may be the same; a leader goes on from the one after it.
   */
  readonly lastIndex: number;
  readonly success: boolean;
  readonly noRetryBackoff: boolean;
}

export interface RequestVoteRequest extends RequestHeader {
  readonly kind: 'requestVote';
  readonly term: number;
  /** The candidate's address: what a vote is kept by. */
  readonly candidate: ServerAddress;
  readonly lastIndex: number;
  readonly lastTerm: number;
  /** The leader asked for this election, so that a known leader is no reason to refuse. */
  readonly isTransfer: boolean;
}

export interface RequestVoteResponse {
  readonly kind: 'requestVote';
  readonly term: number;
  readonly granted: boolean;
}

export interface PreVoteRequest extends RequestHeader {
  readonly kind: 'preVote';
  /** The term that the sender would stand in. */
  readonly term: number;
  readonly lastIndex: number;
  readonly lastTerm: number;
}

export interface PreVoteResponse {
  readonly kind: 'preVote';
  readonly term: number;
  readonly granted: boolean;
}

/** The head of a snapshot's transfer; `sizeBytes` of it follow. */
export interface InstallSnapshotRequest extends RequestHeader {
  readonly kind: 'installSnapshot';
  readonly term: number;
  readonly leader: ServerAddress;
  readonly lastIndex: number;
  readonly lastTerm: number;
  readonly configuration: Configuration;
  readonly configurationIndex: number;
  readonly sizeBytes: number;
}

export interface InstallSnapshotResponse {
  readonly kind: 'installSnapshot';
  readonly term: number;
  readonly success: boolean;
}

/** The receiver stands for election at once. */
export interface TimeoutNowRequest extends RequestHeader {
  readonly kind: 'timeoutNow';
}

export interface TimeoutNowResponse {
  readonly kind: 'timeoutNow';
}

export type RaftRequest =
  AppendEntriesRequest | RequestVoteRequest | PreVoteRequest | InstallSnapshotRequest | TimeoutNowRequest;

export type RaftResponse =
  AppendEntriesResponse | RequestVoteResponse | PreVoteResponse | InstallSnapshotResponse | TimeoutNowResponse;

/** Why there is no response to a call. */
export type CallFailure =
  /** No connection could be made. */
  | 'unreachable'
  /** The connection was there, and closed instead of an answer: how versions before 1.7 answer a pre-vote. */
  | 'closed'
  | 'timeout'
  /** The peer answered with an error text. */
  | 'error';
