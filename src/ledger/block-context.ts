import type { ValidatorSet } from '../qc/validator-set.ts';

/** What an event may know of the block that it is in. */
export interface BlockContext {
  readonly chainId: string;
  readonly epoch: number;
  readonly height: number;
  /** Block time, unix seconds; never less than the parent's. */
  readonly timestamp: number;
  readonly validators: ValidatorSet;
}
