/** What the thread that rebuilds projections and the node's own thread say to each other. */
import type { Refusal } from '../../base/result.ts';
import type { LogIdentity } from '../../ledger/block-log.ts';
import type { PlannedRows } from '../../projections/build-state.ts';
import type { BuildProgress } from '../../projections/build.ts';

export interface RebuildTask {
  /** Its store is open in the node, with `threads`. */
  readonly dataDirectory: string;
  readonly genesisFile: string;
  readonly identity: LogIdentity;
  readonly plan: readonly PlannedRows[];
}

export type ToRebuild =
  { readonly kind: 'written' } | { readonly kind: 'finishAt'; readonly height: number } | { readonly kind: 'stop' };

export type FromRebuild =
  | { readonly kind: 'loaded' }
  | { readonly kind: 'progress'; readonly progress: BuildProgress }
  /** Of `packOperations`; answered by `written`. */
  | { readonly kind: 'write'; readonly packed: Uint8Array }
  | { readonly kind: 'ended'; readonly height: number | null }
  | { readonly kind: 'failed'; readonly refusal: Refusal };
