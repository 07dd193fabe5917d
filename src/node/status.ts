/** What a running node says of itself, and the handle that its starter holds. Plain data: it crosses the control socket as JSON. */
import type { Hash } from '../base/hash.ts';
import type { Result } from '../base/result.ts';
import type { EngineStatus } from '../consensus/engine.ts';
import type { SchemaActivation } from '../ledger/event-schema-at.ts';
import type { ProjectionStatus } from '../projections/projector.ts';
import type { OpenProposal } from './open-proposals.ts';
import type { LedgerOperations } from './projections/ledger-reads.ts';
import type { RebuildStatus } from './projections/live-rebuild.ts';
import type { JoinReport } from './joining/join-report.ts';
import type { LedgerAccess } from './ledger-views.ts';
import type { RaftOperations } from './raft/operations.ts';
import type { ReadReport } from './read-report.ts';
import type { WrittenSnapshot } from './snapshot/snapshot-writer.ts';

export interface NodeStatus extends EngineStatus {
  readonly chainId: string;
  readonly role: 'validator' | 'observer';
  readonly peerId: string;
  /** Position in the validator set; null for an observer. */
  readonly index: number | null;
  /** In the set. */
  readonly validators: number;
  /** Version of the program. */
  readonly version: string;
  /** Seconds since the process started the node. */
  readonly upSeconds: number;
  /** Connected libp2p peers. */
  readonly peers: number;
  readonly listenAddrs: readonly string[];
  /** Blocks committed since the start, by consensus or by sync. */
  readonly commits: number;
  /** Events in those blocks. */
  readonly eventsCommitted: number;
  readonly rssBytes: number;
  /** User and system time of the process since it started, all threads, milliseconds. */
  readonly cpuMs: number;
  readonly schema: SchemaReport;
  readonly proposals: readonly OpenProposal[];
  /** The lowest height whose block this node still has. */
  readonly oldestBlock: number;
  /** What older blocks, which the policy does not want, are still kept for, in words; null where nothing keeps them. */
  readonly pruningWaitsFor: string | null;
  readonly projections: readonly ProjectionStatus[];
  /** Of projections beside those that serve; null where none is under way. */
  readonly rebuild: RebuildStatus | null;
  readonly components: readonly ComponentHealth[];
  /** While a node with an empty directory gets a state to begin from; absent once it runs. */
  readonly joining?: JoinReport;
}

export interface SchemaReport {
  /** In force in the next block. */
  readonly active: number;
  /** The newest that this program knows. */
  readonly known: number;
  /** Decided by a quorum of validators, and not in force in the next block. */
  readonly scheduled: SchemaActivation | null;
  /** What a proposal to change it names as `replaces`. */
  readonly replaces: Hash;
}

export interface ComponentHealth {
  readonly name:
    'store' | 'consensus' | 'network' | 'gossip' | 'dht' | 'sync' | 'submission' | 'schema' | 'projections';
  readonly healthy: boolean;
  /** One sentence: what is wrong and what to do, or what is right. */
  readonly detail: string;
}

/** A block that became durable, as told to those who watch. */
export interface CommitNotice {
  readonly height: number;
  readonly blockId: Hash;
  readonly stateRoot: Hash;
  /** Unix seconds. */
  readonly timestamp: number;
  readonly events: readonly {
    readonly id: Hash;
    readonly type: string;
    readonly peerId: string;
    readonly seq: number;
  }[];
}

export interface ReadOptions {
  /** Refuse with `too-old` when the proven head is older, or of unknown age. Absent: any age will do. */
  readonly maxAgeMs?: number;
  /** Multiaddr of the one peer to ask; absent: any peer known, then the DHT. */
  readonly from?: string;
}

export interface SnapshotOperations {
  /**
   * At the last durable block.
   *
   * @throws CodedError `snapshot-busy`, `snapshot-exists`, and those of making it
   */
  create(): Promise<WrittenSnapshot>;
}

export interface RunningNode {
  readonly listenAddrs: readonly string[];
  status(): NodeStatus;
  /** A record from other peers, checked against the certificate, never against this node's own state. */
  read(peerId: string, options: ReadOptions): Promise<Result<ReadReport>>;
  /** @returns a function that ends the subscription */
  onCommit(listener: (notice: CommitNotice) => void): () => void;
  /** Its own ledger, as its operator asks about it. */
  readonly ledger: LedgerOperations;
  /** Null on a node that runs Raft, which has snapshots of its own. */
  readonly snapshots: SnapshotOperations | null;
  /** Null on a node that runs no Raft. */
  readonly raft: RaftOperations | null;
  /** What is on its disk, for other processes of its user. */
  readonly views: LedgerAccess;
  /** Settles once everything acknowledged is durable and the store is closed. */
  stop(): Promise<void>;
  /** Rejects with the reason when the node stops by itself: a failed write, or a broken assertion. */
  readonly failed: Promise<never>;
}
