/** A running engine, a validator's or an observer's, as the rest of the node sees it. */
import type { CommittedBlock, EngineStatus, VerifiedSealedBlock } from '../consensus/engine.ts';
import type { Submissions } from './submissions.ts';

/** What consensus tells the rest of the node. */
export interface ConsensusOutlets {
  /** Durable, in height order. */
  readonly committed: (blocks: readonly CommittedBlock[]) => void;
  /** The node must stop: a write failed, or our own bug. */
  readonly fatal: (error: unknown) => void;
  /** Enough validators say that the blocks which this node needs next are pruned. */
  readonly prunedAway: () => void;
}

export interface Consensus {
  status(): EngineStatus;
  /** Whether the next block that it needs is pruned at the others. */
  isPrunedAway(): boolean;
  /** Committed blocks that came by gossip. */
  offerSealed(blocks: readonly VerifiedSealedBlock[]): void;
  /** Gossip announced a block that does not hold: there may be a true one. */
  announced(): void;
  /** Validators that this node has a stream to; those of an observer are connections. */
  connectedValidators(): number;
  /** Null for an observer. */
  readonly submissions: Submissions | null;
  /** Ends after the turn under way; nothing is told to the outlets afterwards. */
  stop(): Promise<void>;
}
