/**
 * The state of one Raft server, side by side (Raft, figure 2, "State"). The files that receive messages and do what has
 * become possible (`following.ts`, `election.ts`, `replication.ts`, ...) are functions over it, and `engine.ts` calls them.
 */
import type { Random } from '../base/random.ts';
import type { Refusal } from '../base/result.ts';
import type { Calls } from './calls.ts';
import { isVoter, type Configurations } from './configuration.ts';
import type {
  ConfigurationCodec,
  HardState,
  Leader,
  RaftLimits,
  RaftRole,
  RaftTimings,
  SnapshotMeta,
  When,
} from './contract.ts';
import type { Log } from './log.ts';
import type { Claim, Server, ServerAddress, ServerId } from './messages.ts';
import type { PendingProposals } from './pending-proposals.ts';
import type { Progress } from './progress.ts';
import type { Turn } from './turn.ts';
import type { Writes } from './writes.ts';

export interface RaftServer {
  readonly self: Leader;
  /** What every request carries. */
  readonly header: { readonly protocolVersion: number; readonly sender: Claim };
  readonly timings: RaftTimings;
  readonly limits: RaftLimits;
  readonly codec: ConfigurationCodec;
  readonly random: Random;
  readonly log: Log;
  readonly writes: Writes;
  readonly calls: Calls;
  readonly configurations: Configurations;
  nowMs: number;
  hardState: HardState;
  role: RaftRole;
  leader: Leader | null;
  /** When the leader was last heard. */
  heardLeaderAtMs: number;
  /** How long this server waits for a leader, or for votes, this time. */
  patienceMs: number;
  /** When its patience ends; infinite while it waits for nothing. */
  electionAtMs: number;
  commitIndex: number;
  appliedIndex: number;
  snapshot: SnapshotMeta | null;
  candidacy: Candidacy | null;
  leadership: Leadership | null;
  /** The last term in which this server is known to have led, or to have stood. */
  lastLedTerm: number;
  restoring: Restoring | null;
  /** The log of a leader is of another history than this one: nothing of any leader is taken until this is forgotten. */
  foreign: Refusal | null;
  /** Of the present step. */
  turn: Turn;
}

/** One round of votes, or of pre-votes. */
export interface Candidacy {
  readonly kind: 'preVote' | 'vote';
  /** The term that it is for; the present one once it is about votes. */
  readonly term: number;
  readonly granted: Set<ServerId>;
  /** The write after which this server's own vote counts. */
  readonly ownVote: number;
}

export interface Leadership {
  readonly sinceMs: number;
  /** The index of the no-op that it began with: once it is committed, all before it is. */
  readonly firstIndex: number;
  readonly followers: Map<ServerId, Progress>;
  readonly proposals: PendingProposals;
  /** The configuration change that is under way, and who asked for it. */
  change: { readonly request: number; readonly index: number } | null;
  transfer: Transfer | null;
  readonly reads: Reads;
  heartbeatAtMs: number;
  /** Not before then can the quorum have been silent for too long. */
  leaseEndsAtMs: number;
  /** When followers that were sent an older commit index are sent the present one. */
  tellCommitAtMs: number;
  /** When followers to whom nothing is on its way are sent it in any case. */
  remindAtMs: number;
}

export interface Transfer {
  readonly request: number;
  readonly to: ServerId;
  readonly startedAtMs: number;
  isAsked: boolean;
}

export interface Reads {
  /** Every request that leaves from now on belongs to it; an answer to it confirms the leadership for its reads. */
  round: number;
  /** The turn in which the present round began. */
  openedAt: Turn | null;
  /** In the order they came: the round that confirms each, and the index that was committed when it came. */
  readonly waiting: { readonly request: number; readonly round: number; readonly index: number }[];
}

export interface Restoring {
  readonly ask: number;
  readonly snapshot: SnapshotMeta;
}

/** May stand for election: a voter of the configuration in force. */
export function isOwnVoter({ configurations, self }: RaftServer): boolean {
  return isVoter(configurations.latest.configuration, self.id);
}

/** For an answer that shows the term: `durable` until the term is on the disk. */
export function whenTermIsDurable({ turn, writes }: RaftServer): When {
  return turn.changesHardState || !writes.isHardStateDurable ? 'durable' : 'now';
}

/** The disk owes a write for longer than an election takes: others had better lead. */
export function isDiskStalled({ writes, timings, nowMs }: RaftServer): boolean {
  return writes.waitingSinceMs !== undefined && nowMs - writes.waitingSinceMs >= timings.electionMs;
}

/** Somebody may lead in it, and in one after it. */
export function isTerm(term: number): boolean {
  return term > 0 && term < Number.MAX_SAFE_INTEGER;
}

/** Term and vote as they have to be on the disk before anybody hears of them. */
export function setHardState(server: RaftServer, term: number, votedFor: ServerAddress | null): void {
  server.hardState = { term, votedFor };
  server.turn.persistHardState(server.hardState);
}

/** Between `ms` and twice as much. */
export function spread({ random }: RaftServer, ms: number): number {
  return ms * (1 + random.fraction());
}

/** All others of the configuration in force. */
export function othersOf({ configurations, self }: RaftServer): Server[] {
  return configurations.latest.configuration.servers.filter(({ id }) => id !== self.id);
}

/** Followers hear of the commit index with the next entries, or without any after `commitMs`. */
export function tellCommitSoon(server: RaftServer, leadership: Leadership): void {
  if (leadership.tellCommitAtMs === Infinity)
    leadership.tellCommitAtMs = server.nowMs + spread(server, server.timings.commitMs);
}
