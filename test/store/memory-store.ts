import { compareBytes, fromHex, toHex } from '../../src/base/bytes.ts';
import type { KeyRange, Store, StoreOperation } from '../../src/store/store.ts';

/** What a `MemoryStore` leaves behind when it is closed, and another one opens. */
export class MemoryDisk {
  readonly entries = new Map<string, Uint8Array>();
}

/** The contract on a Map, for tests. All that was written is durable. */
export class MemoryStore implements Store {
  readonly #disk: MemoryDisk;

  constructor(disk = new MemoryDisk()) {
    this.#disk = disk;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#disk.entries.get(toHex(key))?.slice();
  }

  batch(operations: readonly StoreOperation[]): Promise<void> {
    for (const operation of operations) {
      if (operation.kind === 'put') this.#disk.entries.set(toHex(operation.key), operation.value.slice());
      else this.#disk.entries.delete(toHex(operation.key));
    }
    return Promise.resolve();
  }

  async *entries(range: KeyRange): AsyncIterable<readonly [key: Uint8Array, value: Uint8Array]> {
    const all = Array.from(this.#disk.entries, ([key, value]) => [fromHex(key) as Uint8Array, value] as const);
    const inRange = all.filter(([key]) => contains(range, key)).sort(([a], [b]) => compareBytes(a, b));
    if (range.reverse === true) inRange.reverse();
    for (const [key, value] of inRange.slice(0, range.limit)) {
      await Promise.resolve();
      yield [key, value.slice()];
    }
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function contains({ gt, gte, lt, lte }: KeyRange, key: Uint8Array): boolean {
  return (
    (gte === undefined || compareBytes(key, gte) >= 0) &&
    (gt === undefined || compareBytes(key, gt) > 0) &&
    (lt === undefined || compareBytes(key, lt) < 0) &&
    (lte === undefined || compareBytes(key, lte) <= 0)
  );
}
