/**
 * The key-value contract: synchronous point reads, atomic batches, ordered iteration.
 * Keys order as bytes (lexicographic). Every implementation passes test/store/contract.ts.
 */
export interface Store {
  /** The value, or undefined when the key is absent. Synchronous: pure rooms read committed state through it. */
  get(key: Uint8Array): Uint8Array | undefined;

  /**
   * Applies all operations or none, in order.
   *
   * @param options.sync resolve only after the batch is on stable storage
   * @throws CodedError `store-write-failed`, `store-disk-full`: the caller must stop, as what is on disk is unknown
   */
  batch(operations: readonly StoreOperation[], options: { readonly sync: boolean }): Promise<void>;

  /** Entries in key order over a consistent view. */
  entries(range: KeyRange): AsyncIterable<readonly [key: Uint8Array, value: Uint8Array]>;

  close(): Promise<void>;
}

/** What a store held at one moment, whatever is written since. Until it is closed the store keeps what it shows. */
export interface StoreView extends Pick<Store, 'get' | 'entries'> {
  close(): Promise<void>;
}

/** A store that can be looked at as it was at one moment, while it is written to. */
export interface PinnableStore extends Store {
  /** As it is now. */
  pin(): StoreView;
  /** Gives back the disk that deleted entries of the range take. Reads and writes go on meanwhile. */
  compact(range: Required<Pick<KeyRange, 'gte' | 'lt'>>): Promise<void>;
}

export type StoreOperation =
  /** No value is empty: classic-level 3.0.0 keeps 32 bytes for ever for each that is (`DisposeSliceBuffer` in its binding). */
  | { readonly kind: 'put'; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly kind: 'delete'; readonly key: Uint8Array };

/** The value of an entry that says all in its key. */
export const PRESENT = Uint8Array.of(1);

export interface KeyRange {
  /** Inclusive lower bound. */
  readonly gte?: Uint8Array;
  readonly gt?: Uint8Array;
  /** Exclusive upper bound. */
  readonly lt?: Uint8Array;
  readonly lte?: Uint8Array;
  readonly reverse?: boolean;
  /** At most this many entries. */
  readonly limit?: number;
}
