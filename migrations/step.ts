/**
 * The contract of a migration: one numbered step of the layout on disk, in a file of its own that is never edited once a
 * released program has made it. A step takes nothing from the ledger: the encodings that it reads and writes stand in its
 * own file, as they were. It decides, and writes nothing itself: it hands out batches, each with where to go on, and
 * whoever runs it writes a batch and that place together (`src/node/migrate/run-step.ts`). So a process may end at any
 * point, and the next one goes on as if it had not.
 */
import type { Result } from '../src/base/result.ts';
import type { Store, StoreOperation } from '../src/store/store.ts';

export type StoreReader = Pick<Store, 'get' | 'entries'>;

export interface MigrationStep {
  /** The name of its file: a number that grows, and what it is about. */
  readonly id: string;
  /** The layout that it is for, and the one that it makes. */
  readonly from: number;
  readonly to: number;
  /** A sentence for the operator: what is another after it. */
  readonly title: string;
  readonly up: Walk;
  /** Back again, byte for byte as far as the older layout goes; null where something would be lost. */
  readonly down: Walk | null;
}

export interface Walk {
  /**
   * What must hold before anything is written: a directory that is not what the step is for stays as it is.
   *
   * Refusals: `store-corrupt`, `migration-irreversible`.
   */
  readonly admit: (store: StoreReader) => Promise<Result<WalkSize>>;
  /**
   * All that there is to do, in bounded batches that depend on nothing but the store and the cursor. Given the cursor of a
   * batch that was written, the walk goes on behind it.
   *
   * @param cursor null: from the beginning
   */
  readonly run: (store: StoreReader, cursor: Uint8Array | null) => AsyncIterable<WalkBatch>;
  /** What must hold when all batches are written. Refusal: `migration-check-failed`. */
  readonly check: (store: StoreReader) => Promise<Result<void>>;
}

export interface WalkSize {
  /** Records that the walk will look at. */
  readonly records: number;
  /** Most that it will write, bytes. */
  readonly bytes: number;
}

export interface WalkBatch {
  readonly operations: readonly StoreOperation[];
  readonly cursor: Uint8Array;
  /** Looked at for this batch. */
  readonly records: number;
}

/** Bounds of a batch: what a walk holds in memory, and what is done again after a crash. */
export const MAX_BATCH_RECORDS = 1000;
export const MAX_BATCH_BYTES = 1024 * 1024;
