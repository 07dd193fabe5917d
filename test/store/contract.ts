/** The contract of `Store`: every implementation runs it. */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { compareBytes, utf8 } from '../../src/base/bytes.ts';
import type { KeyRange, Store, StoreOperation } from '../../src/store/store.ts';
import { MemoryStore } from './memory-store.ts';

/** One place where a store keeps its data. */
export interface StorePlace {
  open(): Promise<Store>;
  remove(): Promise<void>;
}

const put = (key: string, value: string): StoreOperation => ({ kind: 'put', key: utf8(key), value: utf8(value) });
const remove = (key: string): StoreOperation => ({ kind: 'delete', key: utf8(key) });

export function storeContract(name: string, makePlace: () => Promise<StorePlace>): void {
  describe(`${name} keeps the contract of a store`, () => {
    let place: StorePlace;
    let store: Store;

    beforeEach(async () => {
      place = await makePlace();
      store = await place.open();
    });

    afterEach(async () => {
      await store.close();
      await place.remove();
    });

    async function reopen(): Promise<void> {
      await store.close();
      store = await place.open();
    }

    test('an absent key reads as undefined', () => {
      expect(store.get(utf8('nothing'))).toBeUndefined();
    });

    test('a batch is visible at once when it has resolved, synced or not', async () => {
      await store.batch([put('a', '1'), put('b', '2')], { sync: true });
      await store.batch([remove('a'), put('c', '')], { sync: false });
      expect(store.get(utf8('a'))).toBeUndefined();
      expect(store.get(utf8('b'))).toEqual(utf8('2'));
      expect(store.get(utf8('c'))).toEqual(new Uint8Array(0));
    });

    test('operations of one batch apply in order: the last one on a key counts', async () => {
      await store.batch([put('a', '1'), remove('a'), put('b', '1'), put('b', '2'), remove('never')], { sync: true });
      expect(store.get(utf8('a'))).toBeUndefined();
      expect(store.get(utf8('b'))).toEqual(utf8('2'));
    });

    test('an empty batch does nothing', async () => {
      await store.batch([], { sync: true });
      expect(await entriesOf(store, {})).toEqual([]);
    });

    test('synced data is there after reopening', async () => {
      await store.batch([put('kept', 'value')], { sync: true });
      await reopen();
      expect(store.get(utf8('kept'))).toEqual(utf8('value'));
    });

    test('keys and values are any bytes, and what was read is not changed by later writes', async () => {
      const key = Uint8Array.of(0, 255, 0);
      const value = new Uint8Array(100_000).fill(7);
      await store.batch([{ kind: 'put', key, value }], { sync: true });
      const read = store.get(key);
      await store.batch([{ kind: 'put', key, value: Uint8Array.of(1) }], { sync: true });
      expect(read).toEqual(value);
      expect(store.get(key)).toEqual(Uint8Array.of(1));
    });

    test('entries come in the order of their bytes, within the range, up to the limit', async () => {
      const keys = [[0], [0, 0], [1], [1, 255], [2], [127], [128], [255]];
      const shuffled = [3, 0, 7, 5, 1, 6, 2, 4].map((index) => Uint8Array.from(keys[index] as number[]));
      await store.batch(
        shuffled.map((key) => ({ kind: 'put', key, value: key })),
        { sync: true },
      );
      const read = async (range: KeyRange) => (await entriesOf(store, range)).map(([key]) => Array.from(key));
      expect(await read({})).toEqual(keys);
      expect(await read({ reverse: true })).toEqual(keys.toReversed());
      expect(await read({ gte: Uint8Array.of(1), lt: Uint8Array.of(127) })).toEqual([[1], [1, 255], [2]]);
      expect(await read({ gt: Uint8Array.of(1), lte: Uint8Array.of(127) })).toEqual([[1, 255], [2], [127]]);
      expect(await read({ lt: Uint8Array.of(2), reverse: true, limit: 2 })).toEqual([[1, 255], [1]]);
      expect(await read({ gte: Uint8Array.of(3), lt: Uint8Array.of(4) })).toEqual([]);
    });

    test('iteration sees the store as it was when it began, and may stop early', async () => {
      await store.batch(
        Array.from({ length: 2500 }, (_, i) => put(`key-${String(i).padStart(4, '0')}`, 'old')),
        { sync: true },
      );
      let seen = 0;
      for await (const [, value] of store.entries({})) {
        if (seen === 0) await store.batch([put('key-2400', 'new'), remove('key-2401')], { sync: true });
        expect(value).toEqual(utf8('old'));
        seen++;
      }
      expect(seen).toBe(2500);
      for await (const _entry of store.entries({})) break;
    });

    test('it does what a map does', async () => {
      const operation = fc.record({
        kind: fc.constantFrom('put' as const, 'delete' as const),
        key: fc.uint8Array({ minLength: 1, maxLength: 2, max: 3 }),
        value: fc.uint8Array({ maxLength: 4 }),
      });
      await fc.assert(
        fc.asyncProperty(fc.array(fc.array(operation, { maxLength: 10 }), { maxLength: 5 }), async (batches) => {
          const everything = await entriesOf(store, {});
          await store.batch(
            everything.map(([key]) => ({ kind: 'delete', key })),
            { sync: false },
          );
          const model = new MemoryStore();
          for (const batch of batches) {
            await store.batch(batch, { sync: false });
            await model.batch(batch);
          }
          expect(await entriesOf(store, {})).toEqual(await entriesOf(model, {}));
        }),
        { seed: 1, numRuns: 30 },
      );
    });
  });
}

export async function entriesOf(
  store: Pick<Store, 'entries'>,
  range: KeyRange,
): Promise<(readonly [Uint8Array, Uint8Array])[]> {
  const entries: (readonly [Uint8Array, Uint8Array])[] = [];
  for await (const entry of store.entries(range)) entries.push(entry);
  const sorted = entries.toSorted(([a], [b]) => compareBytes(a, b));
  expect(entries).toEqual(range.reverse === true ? sorted.reverse() : sorted);
  return entries;
}
