/** What a Raft server is made of and told, and what it tells. */
import type { Hash } from '../../base/hash.ts';
import type { Refusal } from '../../base/result.ts';
import type { ConfigurationCodec, Leader, RaftLimits, RaftTimings } from '../../raft/contract.ts';
import type { LoggedConfiguration, ServerAddress, ServerId } from '../../raft/messages.ts';
import type { Store } from '../../store/store.ts';
import type { OpenLinks } from './links.ts';
import type { SnapshotStore } from './snapshot-store.ts';
import type { StateMachine } from './state-machine.ts';

export interface RaftServerOptions<O> {
  readonly self: { readonly id: ServerId; readonly address: ServerAddress };
  readonly protocolVersion: 2 | 3;
  readonly timings: RaftTimings;
  readonly limits: RaftLimits;
  readonly shellLimits: ShellLimits;
  readonly snapshotPolicy: SnapshotPolicy;
  /** Any 32-bit number; another one on each server. */
  readonly seed: number;
  readonly codec: ConfigurationCodec;
  /** The history that the operator says this server is of (`history.ts`); null where nothing is said. */
  readonly pinnedHistory: Hash | null;
  readonly store: Store;
  readonly snapshots: SnapshotStore;
  readonly machine: StateMachine<O>;
  readonly openLinks: OpenLinks;
  /** A clock that never steps back, milliseconds. */
  readonly nowMs: () => number;
  readonly outlets: RaftServerOutlets;
}

/** Everything here returns at once. */
export interface RaftServerOutlets {
  readonly leaderChanged: (leader: Leader | null, term: number, isSelf: boolean) => void;
  readonly configurationChanged: (latest: LoggedConfiguration, isCommitted: boolean) => void;
  /** Something of others was refused. */
  readonly refused: (from: ServerId | null, refusal: Refusal) => void;
  /** A snapshot that was due could not be taken; the next one is tried at its time. */
  readonly snapshotFailed: (error: unknown) => void;
  /** The server has stopped: what is on disk is unknown, or this program is wrong. The process must end. */
  readonly fatal: (error: unknown) => void;
}

export interface ShellLimits {
  /** Proposals that wait for the engine's next turn. */
  readonly maxGatheredProposals: number;
  /** Configuration changes, transfers and read indexes that are not answered. */
  readonly maxRequests: number;
  /** Requests of one kind of one other server that wait for the engine's next turn. */
  readonly maxAsksPerServerAndKind: number;
}

export const DEFAULT_SHELL_LIMITS: ShellLimits = {
  maxGatheredProposals: 65_536,
  maxRequests: 65_536,
  maxAsksPerServerAndKind: 256,
};

/** As hashicorp/raft has it: every so often, up to twice as long, it is seen whether enough was applied. */
export interface SnapshotPolicy {
  readonly intervalMs: number;
  /** Entries applied since the last one. */
  readonly threshold: number;
}

export const DEFAULT_SNAPSHOT_POLICY: SnapshotPolicy = { intervalMs: 120_000, threshold: 8192 };
