/**
 * The contract of a projection: a view that is a pure function of the block log, kept in rows of its own.
 *
 * A projection is told each committed block once, in order. It answers with what to write; the projector writes it in
 * one batch with the projection's cursor. Given the same blocks it writes the same bytes, so that a view rebuilt from
 * the log equals the one that grew with it.
 */
import type { BlockHeader } from '../ledger/block.ts';
import type { SignedEvent } from '../ledger/event.ts';
import type { CommittedChange, StateChange } from '../ledger/state.ts';
import type { KeyRange } from '../store/store.ts';
import type { RowKey } from './row-key.ts';

/** What a committed block was and did. */
export interface ProjectedBlock {
  readonly header: BlockHeader;
  readonly events: readonly SignedEvent[];
  /** With what they replaced, where the block was executed just now; without, where they were read from the log. */
  readonly changes: readonly (StateChange | CommittedChange)[];
}

/** On a projection's own rows: keys are its own, without any prefix. */
export type RowOperation =
  /** As with a store's, no value is empty. */
  | { readonly kind: 'put'; readonly key: RowKey; readonly value: Uint8Array }
  | { readonly kind: 'delete'; readonly key: RowKey };

export interface Projection {
  /** Lowercase letters and hyphens. */
  readonly name: string;
  /** Grows with every change of what `apply` writes: an older view is rebuilt beside itself. */
  readonly version: number;
  /**
   * Rows of this version and later are understood by this program's reading functions, and serve reads while newer ones
   * are made. Left out: of every older version.
   */
  readonly readableSince?: number;
  /** Its rows follow from the state alone, whichever blocks led to it: those of a snapshot's state are the same ones. */
  readonly isOfStateAlone?: true;
  /**
   * Synchronous and deterministic.
   *
   * @param view the projection's own rows before this block
   */
  apply(block: ProjectedBlock, view: RowReader): readonly RowOperation[];
}

/** The rows of one projection; keys are its own. */
export interface RowReader {
  get(key: RowKey): Uint8Array | undefined;
}

/** The rows of one projection, for those who serve from it. */
export interface ProjectionReader extends RowReader {
  entries(range: KeyRange): AsyncIterable<readonly [key: Uint8Array, value: Uint8Array]>;
}
