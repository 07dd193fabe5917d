import { describe, expect, it } from 'vitest';
import type { Libp2pInit } from 'libp2p';
import { boundedDatastore } from '../../src/net/bounded-datastore.ts';
import { filled } from './network.ts';

type Datastore = NonNullable<Libp2pInit['datastore']>;
type Key = Parameters<Datastore['get']>[0];

// The store needs of a key only its text.
const key = (name: string): Key => ({ toString: () => name }) as Key;

async function all<T>(source: Iterable<T> | AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of source) items.push(item);
  return items;
}

describe('bounded datastore', () => {
  it('puts, gets, deletes and batches', async () => {
    const store = boundedDatastore(1 << 20);
    await store.put(key('/a/1'), filled(1, 1));
    expect(await store.get(key('/a/1'))).toEqual(filled(1, 1));
    expect([await store.has(key('/a/1')), await store.has(key('/a/2'))]).toEqual([true, false]);
    expect(() => store.get(key('/a/2'))).toThrow(expect.objectContaining({ name: 'NotFoundError' }) as Error);
    const batch = store.batch();
    batch.put(key('/a/2'), filled(1, 2));
    batch.delete(key('/a/1'));
    expect(await store.has(key('/a/2'))).toBe(false);
    await batch.commit();
    expect([await store.has(key('/a/1')), await store.has(key('/a/2'))]).toEqual([false, true]);
    const pairs = [3, 4].map((n) => ({ key: key(`/a/${n}`), value: filled(1, n) }));
    await all(store.putMany(pairs));
    expect((await all(store.getMany(pairs.map((pair) => pair.key)))).map(({ value }) => value[0])).toEqual([3, 4]);
    await all(store.deleteMany([key('/a/3')]));
    expect(await store.has(key('/a/3'))).toBe(false);
  });

  it('keeps a value and not the read of the network that it came in', async () => {
    const store = boundedDatastore(1 << 20);
    await store.put(key('/a/1'), filled(1 << 16, 1).subarray(5, 7));
    const value = await store.get(key('/a/1'));
    expect([value.length, value.buffer.byteLength]).toEqual([2, 2]);
  });

  it('queries by prefix, filter, order and range, values and keys', async () => {
    const store = boundedDatastore(1 << 20);
    for (const n of [3, 1, 2, 5, 4]) await store.put(key(`/a/${n}`), filled(1, n));
    await store.put(key('/b/9'), filled(1, 9));
    const values = await all(
      store.query({
        prefix: '/a',
        filters: [({ value }) => value[0] !== 2],
        orders: [(x, y) => ((x.value[0] as number) < (y.value[0] as number) ? -1 : 1)],
        offset: 1,
        limit: 2,
      }),
    );
    expect(values.map(({ value }) => value[0])).toEqual([3, 4]);
    const keys = await all(
      store.queryKeys({
        prefix: '/a',
        filters: [(each) => each.toString() !== '/a/1'],
        orders: [(x, y) => (x.toString() < y.toString() ? -1 : 1)],
        offset: 1,
        limit: 2,
      }),
    );
    expect(keys.map(String)).toEqual(['/a/3', '/a/4']);
    expect(await all(store.query({}))).toHaveLength(6);
  });

  it('stays within its bound, and what was not used for longest goes first', async () => {
    const store = boundedDatastore(10_000);
    for (let i = 0; i < 10; i++) await store.put(key(`/${i}`), filled(700));
    await store.get(key('/0'));
    for (let i = 10; i < 15; i++) await store.put(key(`/${i}`), filled(700));
    const left = (await all(store.queryKeys({}))).map(String);
    expect(left).toHaveLength(10);
    expect(left).toContain('/0');
    expect(left).not.toContain('/1');
  });
});
