/**
 * The contract of the Raft engine: a synchronous state machine, as every engine is (`consensus/engine.ts`), whose disk
 * works beside it. A leader writes its entries while its followers write theirs, heartbeats are answered while a write
 * waits, and what was appended meanwhile goes to the disk in one batch (group commit).
 *
 * So each effect says what it waits for. `when: 'durable'`: after every `persist` listed before it, in this step or in an
 * earlier one, is durable. `when: 'now'`: at once, whatever the disk does. The shell keeps the order of the durable ones,
 * and tells the engine by `persisted` how far the disk is.
 *
 * Law 1 in this form: nothing that promises more than the disk holds is ever `now`.
 */
import type { Refusal, Result } from '../base/result.ts';
import type {
  CallFailure,
  Configuration,
  Entry,
  EntryType,
  LoggedConfiguration,
  RaftRequest,
  RaftResponse,
  ServerAddress,
  ServerId,
  Suffrage,
} from './messages.ts';

export interface RaftEngineContract {
  /** @param nowMs a clock that never steps back, milliseconds; the shell hands in a monotone one */
  step(input: RaftInput, nowMs: number): readonly RaftEffect[];
  status(): RaftStatus;
  /** When the engine next wants a `tick`; undefined while there is nothing to wait for. */
  wakeAtMs(): number | undefined;
  /** The log as the engine sees it: what is not durable yet is in it too. Undefined for what is compacted or not there. */
  entry(index: number): Entry | undefined;
}

export type RaftInput =
  | { readonly kind: 'started' }
  | { readonly kind: 'tick' }
  /**
   * A request of another server. `from`: who the connection or the configuration says that it is (`senderOf`
   * in `sender.ts`). `isListed`: the operator's list of the cluster names it, so that it may lead this server although
   * no configuration here knows it: a blank server knows nobody, and one that was away may know only those who have left.
   * Every ask is answered exactly once.
   */
  | {
      readonly kind: 'asked';
      readonly ask: number;
      readonly from: ServerId;
      readonly isListed: boolean;
      readonly request: RaftRequest;
    }
  /** Every call comes back exactly once, as this or as `callFailed`; of what nobody waits for any more, nothing is made. */
  | { readonly kind: 'answered'; readonly call: number; readonly response: RaftResponse }
  | { readonly kind: 'callFailed'; readonly call: number; readonly failure: CallFailure }
  /** Every `persist` up to this number is durable. */
  | { readonly kind: 'persisted'; readonly persist: number }
  /** The state machine has applied all up to here. */
  | { readonly kind: 'applied'; readonly index: number }
  /** Things to be written, by whoever holds the state machine. */
  | { readonly kind: 'propose'; readonly proposals: readonly Proposal[] }
  | { readonly kind: 'changeConfiguration'; readonly request: number; readonly change: ConfigurationChange }
  /** To the most advanced voter where nobody is named. */
  | { readonly kind: 'transferLeadership'; readonly request: number; readonly to: ServerId | null }
  /** From which index on a read is linearizable (Raft dissertation, 6.4). */
  | { readonly kind: 'readIndex'; readonly request: number }
  /** A snapshot of the state machine is durable, as is the log up to its end, which may go now. */
  | { readonly kind: 'snapshotTaken'; readonly snapshot: SnapshotMeta }
  /** The snapshot of an `installSnapshot` request is the state now, durably, and the log was emptied. */
  | { readonly kind: 'restored'; readonly snapshot: SnapshotMeta }
  | { readonly kind: 'restoreFailed'; readonly ask: number; readonly refusal: Refusal }
  /**
   * A leader's log is of another cluster (`history.ts`): from now on no leader is obeyed, and this server stands for no
   * election in which others might grant it their votes. Null when it is known again to be among its own.
   */
  | { readonly kind: 'foreignHistory'; readonly refusal: Refusal | null };

/** `number` is the shell's own, and comes back with the outcome. */
export interface Proposal {
  readonly number: number;
  readonly type: Extract<EntryType, 0 | 1 | 4>;
  readonly data: Uint8Array | null;
}

export type ConfigurationChange =
  | { readonly kind: 'addVoter'; readonly id: ServerId; readonly address: ServerAddress; readonly prevIndex?: number }
  | {
      readonly kind: 'addNonvoter';
      readonly id: ServerId;
      readonly address: ServerAddress;
      readonly prevIndex?: number;
    }
  | { readonly kind: 'demoteVoter'; readonly id: ServerId; readonly prevIndex?: number }
  | { readonly kind: 'removeServer'; readonly id: ServerId; readonly prevIndex?: number };

export interface SnapshotMeta {
  readonly lastIndex: number;
  readonly lastTerm: number;
  /** The configuration at `lastIndex`. */
  readonly configuration: LoggedConfiguration;
}

export type RaftEffect =
  /** One write: first the term and the vote where they changed, then the log is cut, then the entries. */
  | {
      readonly kind: 'persist';
      /** Counts up from 1. */
      readonly persist: number;
      readonly hardState: HardState | null;
      /** Entries from this index on go; null when none does. */
      readonly truncateFrom: number | null;
      readonly entries: readonly Entry[];
    }
  /** Ask another server. The answer comes as `answered` or `callFailed` with the same number. */
  | {
      readonly kind: 'call';
      readonly when: When;
      readonly call: number;
      readonly to: ServerId;
      readonly address: ServerAddress;
      readonly channel: Channel;
      readonly request: RaftRequest;
    }
  | { readonly kind: 'answer'; readonly when: When; readonly ask: number; readonly response: RaftResponse }
  /** Everything up to here is committed: apply it, in order. Its entries are in the log, durable or not. */
  | { readonly kind: 'commit'; readonly index: number }
  /** The snapshot that came with this request takes the place of log and state. Answered by the engine once `restored`. */
  | { readonly kind: 'restore'; readonly ask: number; readonly snapshot: SnapshotMeta }
  /** Entries up to this index may be dropped from the log: a snapshot holds what they did. */
  | { readonly kind: 'compact'; readonly upTo: number }
  | { readonly kind: 'proposed'; readonly number: number; readonly index: number; readonly term: number }
  /**
   * `not-leader`, `busy` (the uncommitted log is full), `transferring`: certainly not written. `leadership-lost`: written
   * perhaps, and the same event may be proposed again.
   */
  | { readonly kind: 'refusedProposal'; readonly number: number; readonly refusal: Refusal }
  | { readonly kind: 'settled'; readonly request: number; readonly index: number }
  | { readonly kind: 'unsettled'; readonly request: number; readonly refusal: Refusal }
  /** A read of what is applied at `index` or later is linearizable. */
  | { readonly kind: 'readReady'; readonly request: number; readonly index: number }
  | { readonly kind: 'leaderChanged'; readonly leader: Leader | null; readonly term: number; readonly isSelf: boolean }
  | { readonly kind: 'configurationChanged'; readonly latest: LoggedConfiguration; readonly isCommitted: boolean }
  /** Something of others was refused: count it, log it, perhaps drop the peer. */
  | { readonly kind: 'refused'; readonly from: ServerId | null; readonly refusal: Refusal };

export type When = 'now' | 'durable';

/** Heartbeats never wait behind entries, and votes behind neither. Calls of one channel to one server keep their order. */
export type Channel = 'heartbeat' | 'log' | 'election' | 'snapshot';

export interface Leader {
  readonly id: ServerId;
  readonly address: ServerAddress;
}

/** What must never be forgotten: Raft, figure 2, "persistent state on all servers". */
export interface HardState {
  readonly term: number;
  /** The candidate's address that this server voted for in this term. */
  readonly votedFor: ServerAddress | null;
}

/** The durable log as a synchronous input: what the engine no longer holds in memory is read through it. */
export interface LogReader {
  /** The first index that is still there; `lastIndex + 1` when none is. */
  readonly firstIndex: number;
  /** 0 when there is neither entry nor snapshot. */
  readonly lastIndex: number;
  /** Undefined for what was compacted or never written. */
  entry(index: number): Entry | undefined;
}

export interface RaftTimings {
  /** A follower that hears nothing for this long, up to twice as long, stands for election. */
  readonly heartbeatMs: number;
  /** A candidate tries again after this long, up to twice as long. */
  readonly electionMs: number;
  /** A leader that has not heard from a quorum for this long steps down. */
  readonly leaseMs: number;
  /** How long a commit index may wait for entries to ride with, up to twice as long. */
  readonly commitMs: number;
}

/** The defaults of hashicorp/raft (`config.go`). */
export const DEFAULT_TIMINGS: RaftTimings = { heartbeatMs: 1000, electionMs: 1000, leaseMs: 500, commitMs: 50 };

export interface RaftLimits {
  readonly maxAppendEntries: number;
  readonly maxAppendBytes: number;
  /** Append requests to one follower that are not answered yet: since it last took a snapshot, or failed. */
  readonly maxInFlight: number;
  /** In all of them together; one request is always allowed. */
  readonly maxInFlightBytes: number;
  /** On a leader: proposals. On a follower: entries that its disk does not hold yet. */
  readonly maxUncommittedBytes: number;
  readonly maxUncommittedEntries: number;
  /** A non-voter is promoted only when it lacks at most this many entries. */
  readonly maxTrailingToPromote: number;
  /** Entries kept behind a snapshot, for followers that are a little behind. */
  readonly trailingEntries: number;
  /** Of recent entries held in memory; what is not durable yet is held whatever it takes. */
  readonly maxCachedBytes: number;
  /** Read indexes that wait for a round of heartbeats. */
  readonly maxWaitingReads: number;
}

/** For values of some hundred bytes on a local network. */
export const DEFAULT_LIMITS: RaftLimits = {
  maxAppendEntries: 512,
  maxAppendBytes: 1 << 20,
  maxInFlight: 16,
  maxInFlightBytes: 4 << 20,
  maxUncommittedBytes: 64 << 20,
  maxUncommittedEntries: 65_536,
  maxTrailingToPromote: 250,
  trailingEntries: 10_240,
  maxCachedBytes: 32 << 20,
  maxWaitingReads: 65_536,
};

/** How a configuration is put into the data of an entry. */
export interface ConfigurationCodec {
  /** As data of an entry of type `configuration`. */
  encode(configuration: Configuration): Uint8Array;
  /** Of an entry of type `configuration`, or of `addPeer` and `removePeer`, whose addresses are the ids too. */
  decode(entry: Entry): Result<Configuration>;
}

export interface RaftOptions {
  readonly self: { readonly id: ServerId; readonly address: ServerAddress };
  readonly protocolVersion: 2 | 3;
  readonly timings: RaftTimings;
  readonly limits: RaftLimits;
  /** Any 32-bit number; another one on each server. */
  readonly seed: number;
  readonly hardState: HardState;
  readonly log: LogReader;
  readonly codec: ConfigurationCodec;
  readonly snapshot: SnapshotMeta | null;
  /** The last configurations in the log, ascending; the committed one first where it is known. */
  readonly configurations: readonly LoggedConfiguration[];
  /** At least the snapshot's last index. */
  readonly appliedIndex: number;
}

export type RaftRole = 'follower' | 'precandidate' | 'candidate' | 'leader';

export interface RaftStatus {
  readonly self: ServerId;
  readonly role: RaftRole;
  readonly term: number;
  readonly leader: Leader | null;
  readonly lastIndex: number;
  readonly lastTerm: number;
  readonly durableIndex: number;
  readonly commitIndex: number;
  readonly appliedIndex: number;
  readonly firstIndex: number;
  readonly configuration: LoggedConfiguration;
  readonly committedConfiguration: LoggedConfiguration;
  /** What a leader knows of the others. */
  readonly followers: readonly FollowerStatus[];
}

export interface FollowerStatus {
  readonly id: ServerId;
  readonly address: ServerAddress;
  readonly suffrage: Suffrage;
  readonly state: 'probe' | 'pipeline' | 'snapshot';
  readonly matchIndex: number;
  readonly nextIndex: number;
  /** Since an answer of any kind; null when there was none yet. */
  readonly heardAgoMs: number | null;
}
