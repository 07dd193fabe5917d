import { expect, test } from 'vitest';
import { Random } from '../../src/base/random.ts';
import { utf8 } from '../../src/base/bytes.ts';
import { projectionKey } from '../../src/ledger/layout.ts';
import { proposalsOf } from '../../src/projections/validators.ts';
import { recordCount } from '../../src/projections/node-data.ts';
import { PendingRows, readPointer, Rows } from '../../src/projections/rows.ts';
import type { StoreOperation } from '../../src/store/store.ts';
import { MemoryStore } from '../store/memory-store.ts';

const put = (key: string, value: string): StoreOperation => ({ kind: 'put', key: utf8(key), value: utf8(value) });
const deleted = (key: string): StoreOperation => ({ kind: 'delete', key: utf8(key) });

test('rows read as of the last operation, also while those that were taken are on their way to the store', async () => {
  const store = new MemoryStore();
  const rows = new Rows(store, 'test', 0);
  const pending = new PendingRows(rows);
  await store.batch(rows.writeOps([put('stored', 'a'), put('gone', 'a')], 1));
  pending.add([put('kept', 'b'), put('changed', 'b'), deleted('gone')]);
  const onTheirWay = rows.writeOps(pending.take(), 2);
  pending.add([put('changed', 'c')]);
  const read = () => ['stored', 'gone', 'kept', 'changed'].map((key) => pending.get(utf8(key)));
  const expected = [utf8('a'), undefined, utf8('b'), utf8('c')];
  expect(read()).toEqual(expected);
  await store.batch(onTheirWay);
  await store.batch(rows.writeOps(pending.take(), 3));
  expect(read()).toEqual(expected);
  expect([...pending.take()]).toEqual([]);
  expect(rows.cursor()).toBe(3);
});

test('rows that are at hand are those of the store, be there more of them than are kept', async () => {
  const store = new MemoryStore();
  const rows = new Rows(store, 'test', 0);
  const pending = new PendingRows(rows);
  const random = new Random(7);
  const expected = new Map<string, string>();
  for (let round = 0; round < 30; round++) {
    for (let step = 0; step < 1000; step++) {
      const key = `row ${random.below(10_000)}`;
      expect(pending.get(utf8(key))).toEqual(expected.has(key) ? utf8(expected.get(key)!) : undefined);
      const value = `${round} ${step}`;
      const goes = random.chance(0.2);
      if (goes) expected.delete(key);
      else expected.set(key, value);
      pending.add([goes ? deleted(key) : put(key, value)]);
    }
    await store.batch(rows.writeOps(pending.take(), round));
  }
  for (const [key, value] of expected) expect(rows.get(utf8(key))).toEqual(utf8(value));
});

test('rows, cursor and pointer that do not decode are store-corrupt', async () => {
  const store = new MemoryStore();
  const rows = new Rows(store, 'test', 0);
  const corrupt = expect.objectContaining({ code: 'store-corrupt' }) as Error;
  await store.batch(rows.writeOps([put('#', 'rubbish'), put('p\0peer', 'rubbish')], 1));
  expect(() => recordCount(rows)).toThrow(corrupt);
  expect(() => proposalsOf(rows, 'peer')).toThrow(corrupt);
  await store.batch([{ kind: 'put', key: projectionKey(utf8('@test')), value: utf8('rubbish') }]);
  expect(() => readPointer(store, 'test')).toThrow(corrupt);
  for (const { key } of rows.writeOps([], 1)) await store.batch([{ kind: 'put', key, value: utf8('short') }]);
  expect(() => rows.cursor()).toThrow(corrupt);
});
