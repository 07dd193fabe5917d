/** A store whose writes wait for as long as a test says. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { KeyRange, Store, StoreOperation } from '../../src/store/store.ts';

export class StallableStore implements Store {
  readonly #store: Store;
  stallMs = 0;

  constructor(store: Store) {
    this.#store = store;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#store.get(key);
  }

  async batch(operations: readonly StoreOperation[], options: { readonly sync: boolean }): Promise<void> {
    if (this.stallMs > 0) await sleep(this.stallMs);
    await this.#store.batch(operations, options);
  }

  entries(range: KeyRange): AsyncIterable<readonly [Uint8Array, Uint8Array]> {
    return this.#store.entries(range);
  }

  close(): Promise<void> {
    return this.#store.close();
  }
}
