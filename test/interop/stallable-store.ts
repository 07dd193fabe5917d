/** A store whose writes wait while its disk is said to hang. */
import type { KeyRange, Store, StoreOperation } from '../../src/store/store.ts';

export class StallableStore implements Store {
  readonly #inner: Store;
  #untilMs = 0;
  /** Replaced with each change; called by the next. */
  #changed: () => void = () => undefined;

  constructor(inner: Store) {
    this.#inner = inner;
  }

  /** Every write waits for this long from now on; 0 ends it. */
  stallFor(ms: number): void {
    this.#untilMs = performance.now() + ms;
    this.#changed();
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#inner.get(key);
  }

  async batch(operations: readonly StoreOperation[], options: { readonly sync: boolean }): Promise<void> {
    for (let leftMs = this.#leftMs(); leftMs > 0; leftMs = this.#leftMs()) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        const before = this.#changed;
        this.#changed = () => {
          clearTimeout(timer);
          before();
          resolve();
        };
      });
    }
    await this.#inner.batch(operations, options);
  }

  entries(range: KeyRange): AsyncIterable<readonly [key: Uint8Array, value: Uint8Array]> {
    return this.#inner.entries(range);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  #leftMs(): number {
    return this.#untilMs - performance.now();
  }
}
