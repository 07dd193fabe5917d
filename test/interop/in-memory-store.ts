/** A store in memory that costs little: keys as latin-1 texts, and values as they are given. Gone with the process. */
import type { KeyRange, Store, StoreOperation } from '../../src/store/store.ts';

export class InMemoryStore implements Store {
  readonly #values = new Map<string, Uint8Array>();

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#values.get(textOf(key));
  }

  async batch(operations: readonly StoreOperation[]): Promise<void> {
    for (const operation of operations) {
      if (operation.kind === 'put') this.#values.set(textOf(operation.key), operation.value);
      else this.#values.delete(textOf(operation.key));
    }
  }

  async *entries({ gt, gte, limit, lt, lte, reverse }: KeyRange): AsyncIterable<readonly [Uint8Array, Uint8Array]> {
    const inRange = [...this.#values.keys()].filter(
      (key) =>
        (gte === undefined || key >= textOf(gte)) &&
        (gt === undefined || key > textOf(gt)) &&
        (lt === undefined || key < textOf(lt)) &&
        (lte === undefined || key <= textOf(lte)),
    );
    inRange.sort();
    if (reverse === true) inRange.reverse();
    for (const key of inRange.slice(0, limit)) {
      const value = this.#values.get(key);
      if (value !== undefined) yield [new Uint8Array(Buffer.from(key, 'latin1')), value];
    }
  }

  async close(): Promise<void> {
    this.#values.clear();
  }
}

function textOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1');
}
