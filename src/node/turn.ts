/**
 * One turn: what a batch of inputs asked for, put in the one order in which it may happen. All that must be durable
 * goes into one batch, then everything that others may see. Checks and fetches promise nothing to anybody and may start
 * while the batch is written. Pure: the loop performs what this plans.
 */
import { unreachable } from '../base/assert.ts';
import type { Refusal } from '../base/result.ts';
import type { Hash } from '../base/hash.ts';
import type { CommittedBlock, Effect, FetchTarget, Recipients, ValidatorIndex } from '../consensus/engine.ts';
import {
  committedBlockOps,
  evidenceOps,
  forgottenBlockOps,
  safetyRecordOps,
  uncommittedBlockOps,
} from '../ledger/block-log.ts';
import type { VerifiedEvent } from '../ledger/verified-event.ts';
import type { StoreOperation } from '../store/store.ts';

/**
 * A message to sign (or not) and send, in the order in which the engine asked for it.
 *
 * @template M a message to be sent
 */
export type Dispatch<M> =
  | { readonly kind: 'send'; readonly message: M; readonly to: Recipients }
  | {
      readonly kind: 'cast';
      readonly signWith: 'bls' | 'identity';
      readonly preimage: Uint8Array;
      readonly message: M;
      readonly to: Recipients;
    };

export interface Turn<M, J> {
  /** One atomic batch, synced when not empty. */
  readonly operations: readonly StoreOperation[];
  readonly dispatches: readonly Dispatch<M>[];
  readonly commits: readonly CommittedBlock[];
  readonly jobs: readonly { readonly job: number; readonly work: J }[];
  readonly fetches: readonly {
    readonly request: number;
    readonly what: FetchTarget;
    readonly from: readonly ValidatorIndex[];
  }[];
  readonly rejected: readonly { readonly event: Hash; readonly refusal: Refusal }[];
  readonly refused: readonly { readonly from: ValidatorIndex | null; readonly refusal: Refusal }[];
  readonly forwards: readonly VerifiedEvent[];
  readonly evidence: readonly {
    readonly offender: ValidatorIndex;
    readonly epoch: number;
    readonly bytes: Uint8Array;
  }[];
}

export function planTurn<M, J>(effects: readonly Effect<M, J>[]): Turn<M, J> {
  const operations: StoreOperation[] = [];
  const dispatches: Dispatch<M>[] = [];
  const commits: CommittedBlock[] = [];
  const jobs: Turn<M, J>['jobs'][number][] = [];
  const fetches: Turn<M, J>['fetches'][number][] = [];
  const rejected: Turn<M, J>['rejected'][number][] = [];
  const refused: Turn<M, J>['refused'][number][] = [];
  const forwards: VerifiedEvent[] = [];
  const evidence: Turn<M, J>['evidence'][number][] = [];
  for (const effect of effects) {
    switch (effect.kind) {
      case 'persist':
        operations.push(...uncommittedBlockOps(effect.blocks), ...safetyRecordOps(effect.safety));
        break;
      case 'commit':
        for (const { sealed, changes } of effect.blocks) operations.push(...committedBlockOps(sealed, changes));
        operations.push(...forgottenBlockOps(effect.forgotten));
        commits.push(...effect.blocks);
        break;
      case 'evidence':
        operations.push(...evidenceOps(effect.epoch, effect.offender, effect.bytes));
        evidence.push(effect);
        break;
      case 'cast':
      case 'send':
        dispatches.push(effect);
        break;
      case 'forward':
        forwards.push(...effect.events);
        break;
      case 'verify':
        jobs.push(effect);
        break;
      case 'fetch':
        fetches.push(effect);
        break;
      case 'rejected':
        rejected.push(effect);
        break;
      case 'refused':
        refused.push(effect);
        break;
      default:
        unreachable(effect);
    }
  }
  return { operations, dispatches, commits, jobs, fetches, rejected, refused, forwards, evidence };
}
