/** `applyEvent`: the one function by which an event changes the state. Voting, replay and tests all call it. */
import { refuse, type Result } from '../base/result.ts';
import type { ValidatorSet } from '../qc/validator-set.ts';
import type { StateChange, StateReader } from './state.ts';
import type { VerifiedEvent } from './verified-event.ts';

/** What an event may know of the block that it is in. */
export interface BlockContext {
  readonly chainId: string;
  readonly epoch: number;
  readonly height: number;
  /** Block time, unix seconds. */
  readonly timestamp: number;
  readonly validators: ValidatorSet;
}

/**
 * @returns the changes, each key once; the state itself is never touched
 */
export function applyEvent(
  _state: StateReader,
  _event: VerifiedEvent,
  _context: BlockContext,
): Result<readonly StateChange[]> {
  return refuse('unfinished', 'unfinished');
}
