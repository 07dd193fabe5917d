/** What a Raft log drives: a recorder in tests, the ledger in a node. Deterministic: the same entries, the same state. */
import type { Entry } from '../../raft/messages.ts';
import type { StoreOperation } from '../../store/store.ts';

/** @template O what applying an entry gives to whoever proposed it */
export interface StateMachine<O> {
  /**
   * Applies committed entries, consecutive and in order, of every type. In memory the state is the new one at once; the
   * operations go into one batch with the index that says that they are applied.
   */
  apply(entries: readonly Entry[]): Application<O>;
  /**
   * The operations of an application are in the store, so that whoever reads there finds them. Each once, in order, and
   * none of those before a `restore` once it has begun. (A power cut may take them back; the log then says the same again.)
   */
  written?(application: Application<O>): void;
  /** The applied state as bytes: consistent, whatever is applied while they are read. */
  snapshot(): Promise<AsyncIterable<Uint8Array>>;
  /**
   * Takes the place of all that was there. What it yields is written in order, each part before the next is asked for; a
   * process that ends on the way begins again with the first byte of the same snapshot, so every part may be written twice.
   *
   * What throws before it yielded anything has left the state as it was; after that, the state is neither the old one nor
   * the new, and the process stops.
   *
   * @param snapshot may be read more than once
   * @throws CodedError `snapshot-malformed`
   */
  restore(snapshot: AsyncIterable<Uint8Array>): AsyncIterable<readonly StoreOperation[]>;
}

export interface Application<O> {
  readonly operations: readonly StoreOperation[];
  /** One an entry. */
  readonly outcomes: readonly O[];
}
