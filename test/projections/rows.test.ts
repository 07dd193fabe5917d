import { expect, test } from 'vitest';
import { Random } from '../../src/base/random.ts';
import { utf8 } from '../../src/base/bytes.ts';
import { bigEndian, projectionKey } from '../../src/ledger/layout.ts';
import { decodeOwnEntry } from '../../src/ledger/known-entries.ts';
import { nodeEntryCodec, type NodeRecord } from '../../src/ledger/record.ts';
import { nodeKey } from '../../src/ledger/state.ts';
import { statistics, versionsOf } from '../../src/projections/statistics.ts';
import { proposalsOf } from '../../src/projections/validators.ts';
import { nodeData, peerIdsOfVersion, recordCount } from '../../src/projections/node-data.ts';
import type { RowOperation } from '../../src/projections/projection.ts';
import { numberInKey, rowKey, rowKeyBytes, rowKeyFromBytes, textInKey } from '../../src/projections/row-key.ts';
import { PendingRows, readPointer, Rows } from '../../src/projections/rows.ts';
import { SealedChain } from '../ledger/chain.ts';
import { peerOf } from '../ledger/nodes.ts';
import { MemoryStore } from '../store/memory-store.ts';

const put = (key: string, value: string): RowOperation => ({ kind: 'put', key: rowKey(key), value: utf8(value) });
const deleted = (key: string): RowOperation => ({ kind: 'delete', key: rowKey(key) });

test('rows read as of the last operation, also while those that were taken are on their way to the store', async () => {
  const store = new MemoryStore();
  const rows = new Rows(store, 'test', 0);
  const pending = new PendingRows(rows);
  await store.batch(rows.writeOps([put('stored', 'a'), put('gone', 'a')], 1));
  pending.add([put('kept', 'b'), put('changed', 'b'), deleted('gone')]);
  const onTheirWay = rows.writeOps(pending.take(), 2);
  pending.add([put('changed', 'c')]);
  const read = () => ['stored', 'gone', 'kept', 'changed'].map((key) => pending.get(rowKey(key)));
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
      expect(pending.get(rowKey(key))).toEqual(expected.has(key) ? utf8(expected.get(key)!) : undefined);
      const value = `${round} ${step}`;
      const goes = random.chance(0.2);
      if (goes) expected.delete(key);
      else expected.set(key, value);
      pending.add([goes ? deleted(key) : put(key, value)]);
    }
    await store.batch(rows.writeOps(pending.take(), round));
  }
  for (const [key, value] of expected) expect(rows.get(rowKey(key))).toEqual(utf8(value));
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

test('the bytes of a row key are its characters: numbers order as numbers, any text is its UTF-8', async () => {
  const texts = ['v1', 'é', '漢字', '\u{1f600}', 'x'.repeat(9_000)];
  for (const text of texts) expect(rowKeyBytes(textInKey(text))).toEqual(utf8(text));
  const numbers = [0, 1, 255, 256, 2 ** 31, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER];
  for (const number of numbers) expect(rowKeyBytes(numberInKey(number))).toEqual(bigEndian(number));
  expect(numbers.map(numberInKey).toSorted()).toEqual(numbers.map(numberInKey));
  expect(() => rowKeyBytes(rowKey('é漢')), 'it is not said how').toThrow('each character of a key is a byte');
  const store = new MemoryStore();
  const rows = new Rows(store, 'test', 0);
  const keys = texts.map((text) => rowKey('v\0', textInKey(text), numberInKey(255)));
  await store.batch(
    rows.writeOps(
      keys.map((key) => ({ kind: 'put', key, value: utf8('row') })),
      1,
    ),
  );
  for (const key of keys) expect(rows.get(key)).toEqual(utf8('row'));
  const found: string[] = [];
  for await (const [key] of rows.entries({})) found.push(rowKeyFromBytes(key));
  expect(found).toEqual(keys.toSorted());
});

test('a version of any text is found by it, and counted', async () => {
  const version = 'vé漢';
  const chain = new SealedChain();
  const { changes: joined, sealed } = chain.commit([chain.join(1)]);
  const key = nodeKey(peerOf(1));
  const record = decodeOwnEntry(joined.find((change) => change.key === key)!.value!) as NodeRecord;
  const changes = [{ key, value: nodeEntryCodec.encode({ ...record, version }) }];
  const store = new MemoryStore();
  for (const projection of [nodeData, statistics]) {
    const rows = new Rows(store, projection.name, 0);
    const operations = projection.apply({ header: sealed.block.header, events: [], changes }, new PendingRows(rows));
    await store.batch(rows.writeOps(operations, 0));
  }
  const found: string[] = [];
  for await (const peerId of peerIdsOfVersion(new Rows(store, nodeData.name, 0), version)) found.push(peerId);
  expect(found).toEqual([peerOf(1)]);
  expect(await versionsOf(new Rows(store, statistics.name, 0))).toEqual(new Map([[version, 1]]));
});
