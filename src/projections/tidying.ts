/** Removes what nothing reads any more, beside the work that matters: one thing after another, in bounded batches. */
import type { Store, StoreOperation } from '../store/store.ts';
import type { RowWriter } from './rows.ts';

export class Tidying {
  readonly #store: Store;
  #turn: Promise<void> = Promise.resolve();
  #closed = false;
  #failure: Error | null = null;

  constructor(store: Store) {
    this.#store = store;
  }

  /** Returns at once. What is not removed, as the process ends or the store fails, is found by the next start. */
  begin(remove: (write: RowWriter) => Promise<void>): void {
    this.#turn = this.#turn.then(async () => {
      if (this.#closed) return;
      await remove(this.#write);
    });
    this.#turn = this.#turn.catch((error: Error) => {
      this.#closed = true;
      this.#failure ??= error;
    });
  }

  /** Resolves when nothing is left to remove: until then a new use of the same keys would be removed with the old one. */
  async idle(): Promise<void> {
    await this.#turn;
    if (this.#failure !== null) throw this.#failure;
  }

  /** Ends after the batch under way. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#turn;
  }

  readonly #write = async (operations: readonly StoreOperation[]): Promise<void> => {
    if (this.#closed) throw new Error('the projections are closed');
    await this.#store.batch(operations, { sync: false });
  };
}
