import type { Refusal, Result } from '../base/result.ts';
import type { Hash } from '../base/hash.ts';
import type { StateChange, StateReader } from './state.ts';
import type { BlockContext } from './transition.ts';
import type { VerifiedEvent } from './verified-event.ts';
import type { StateTree, TreeVersion } from './state-tree.ts';
import type { TreeProof } from './state-proof.ts';

export interface Head {
  readonly height: number;
  readonly blockId: Hash;
  readonly stateRoot: Hash;
  /** Unix seconds. */
  readonly timestamp: number;
}

/** The state after a block, on top of its parent's. Read it like any state; give it back by `commit` or `discard`. */
export interface Execution extends StateReader {
  readonly height: number;
  readonly stateRoot: Hash;
  readonly timestamp: number;
}

export interface Selection {
  readonly execution: Execution;
  readonly events: readonly VerifiedEvent[];
  /** Refused for ever: by the committed state, whatever happens to the uncommitted blocks. Answer their submitters. */
  readonly refused: readonly { readonly event: VerifiedEvent; readonly refusal: Refusal }[];
  /** Not applicable now, though perhaps later: refused by an uncommitted block only, or early. */
  readonly waiting: readonly VerifiedEvent[];
}

export interface ProvenValue {
  readonly value: Uint8Array | undefined;
  readonly proof: TreeProof;
}

export interface LedgerMachineOptions {
  readonly chainId: string;
  /** The committed state; changes that it does not hold yet are kept here until `settled`. */
  readonly backing: StateReader;
  readonly tree: StateTree;
  /** The version of `tree` that is the state of `head`. */
  readonly version: TreeVersion;
  readonly head: Head;
}

export declare class LedgerMachine {
  constructor(options: LedgerMachineOptions);
  readonly chainId: string;
  /** The state after the last committed block. */
  readonly head: Execution;
  /** Non-empty executions between the head and this one. */
  uncommittedDepth(execution: Execution): number;
  /** For a voter: every event must apply. Refusals: `wrong-height`, `timestamp-before-parent`, `event-not-applicable`. */
  execute(parent: Execution, context: BlockContext, events: readonly VerifiedEvent[]): Result<Execution>;
  /** For a proposer: takes what applies, in order, up to the limits. */
  select(
    parent: Execution,
    context: BlockContext,
    candidates: Iterable<VerifiedEvent>,
    limits: { readonly maxBytes: number; readonly maxEvents: number },
  ): Selection;
  /** The execution must be a child of the head. Executions that do not descend from it are discarded. */
  commit(execution: Execution): readonly StateChange[];
  /** Everything up to this height is durable in the backing. */
  settled(height: number): void;
  /** A losing fork: this execution and all that descend from it. Repeating it does nothing. */
  discard(execution: Execution): void;
  get(key: string): Uint8Array | undefined;
  /** Refusals: `height-not-held` (64 heights are). */
  getAt(height: number, key: string): Result<Uint8Array | undefined>;
  /** Refusals: `height-not-held`. */
  proveAt(height: number, key: string): Result<ProvenValue>;
}
