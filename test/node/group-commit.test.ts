import { expect, test, vi } from 'vitest';
import { utf8 } from '../../src/base/bytes.ts';
import { GroupCommit } from '../../src/node/group-commit.ts';
import type { StoreOperation } from '../../src/store/store.ts';
import { HeldStore } from './scripted.ts';

const put = (key: string): StoreOperation => ({ kind: 'put', key: utf8(key), value: utf8('value') });

function disk() {
  const log: string[] = [];
  const store = new HeldStore(log);
  const commit = new GroupCommit(store);
  const failures: unknown[] = [];
  const add = (name: string, keys: readonly string[] = [name], sync = true) =>
    commit.add(
      { operations: keys.map(put), sync },
      () => log.push(`written ${name}`),
      (error) => failures.push(error),
    );
  const addForLater = (...keys: readonly string[]) =>
    commit.addForLater({ operations: keys.map(put), sync: false }, (error) => failures.push(error));
  const keysOf = (batch: number) =>
    store.batches[batch]?.operations.map(({ key }) => new TextDecoder().decode(key)) ?? [];
  return { commit, store, log, failures, add, addForLater, keysOf };
}

async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

test('what is added while a batch is written goes into one next batch, in order', async () => {
  const { add, keysOf, log, store } = disk();
  for (const name of ['a', 'b', 'c']) add(name);
  expect(store.batches).toHaveLength(1);
  store.letThrough();
  await settled();
  expect(store.batches).toHaveLength(2);
  expect([keysOf(0), keysOf(1)]).toEqual([['a'], ['b', 'c']]);
  store.letThrough();
  await settled();
  expect(log).toEqual(['writing', 'durable', 'writing', 'written a', 'durable', 'written b', 'written c']);
});

test('the next batch is on its way before anybody hears of the last', async () => {
  const { add, log, store } = disk();
  add('a');
  add('b');
  store.letThrough();
  await settled();
  expect(log.slice(1)).toEqual(['durable', 'writing', 'written a']);
});

test('a group is synced when one of its writes asks for it', async () => {
  const { add, store } = disk();
  add('a', ['a'], false);
  add('b', ['b'], false);
  add('c', ['c'], true);
  store.letThrough();
  await settled();
  expect(store.batches.map(({ sync }) => sync)).toEqual([false, true]);
});

test('what has nothing to write waits for what was added before it, and for nothing else', async () => {
  const { add, log, store } = disk();
  add('nothing', []);
  expect(log).toEqual(['written nothing']);
  add('a');
  add('after a', []);
  expect(log).toEqual(['written nothing', 'writing']);
  store.letThrough();
  await settled();
  expect(log).toEqual(['written nothing', 'writing', 'durable', 'written a', 'written after a']);
  expect(store.batches).toHaveLength(1);
});

test('after a write that failed nobody hears of anything written, and nothing is written', async () => {
  const { add, commit, failures, log, store } = disk();
  add('a');
  add('b');
  const error = new Error('no space');
  store.fail(error);
  await settled();
  add('c');
  add('d', []);
  await settled();
  expect(failures).toEqual([error, error, error, error]);
  expect(log).toEqual(['writing']);
  await commit.settled();
});

test('what throws when it hears of its write stops the disk as a failed write does', async () => {
  const { commit, failures, store } = disk();
  const bug = new Error('our own bug');
  const fail = (error: unknown) => void failures.push(error);
  commit.add(
    { operations: [put('a')], sync: true },
    () => {
      throw bug;
    },
    fail,
  );
  commit.add({ operations: [put('b')], sync: true }, () => failures.push('written'), fail);
  store.letThrough();
  await settled();
  store.letThrough();
  await settled();
  // Of the write that said so, of the one behind it, and of any other from then on.
  expect(failures).toEqual([bug, bug]);
  commit.add({ operations: [], sync: false }, () => failures.push('written'), fail);
  expect(failures).toEqual([bug, bug, bug]);
});

test('what nobody waits for goes with the next write, in its place', async () => {
  const { add, addForLater, keysOf, log, store } = disk();
  addForLater('a');
  addForLater('b');
  expect(log).toEqual([]);
  add('c');
  expect([store.batches.length, keysOf(0)]).toEqual([1, ['a', 'b', 'c']]);
  addForLater('d');
  store.letThrough();
  await settled();
  expect(store.batches).toHaveLength(1);
  expect(log).toEqual(['writing', 'durable', 'written c']);
  add('e');
  expect(keysOf(1)).toEqual(['d', 'e']);
});

test('what nobody waits for holds up nothing that has nothing to write', async () => {
  const { add, addForLater, log, store } = disk();
  addForLater('a');
  add('nothing', []);
  expect(log).toEqual(['written nothing']);
  add('b');
  add('behind b', []);
  expect(log).toEqual(['written nothing', 'writing']);
  store.letThrough();
  await settled();
  expect(log.slice(3)).toEqual(['written b', 'written behind b']);
});

test('what nobody waits for is written alone after a little while, and at once when it is much', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const { addForLater, keysOf, store } = disk();
  addForLater('a');
  vi.advanceTimersByTime(19);
  addForLater('b');
  expect(store.batches).toHaveLength(0);
  vi.advanceTimersByTime(1);
  expect(keysOf(0)).toEqual(['a', 'b']);
  store.letThrough();
  await settled();
  expect(vi.getTimerCount()).toBe(0);
  addForLater(...Array.from({ length: 1024 }, (_, i) => `${i}`));
  expect(store.batches).toHaveLength(2);
  vi.useRealTimers();
});

test('it settles with what nobody waits for', async () => {
  const { addForLater, commit, keysOf, store } = disk();
  addForLater('a');
  const waiting = commit.settled();
  expect(keysOf(0)).toEqual(['a']);
  store.letThrough();
  await waiting;
});

test('it is settled once nothing is under way', async () => {
  const { add, commit, store } = disk();
  await commit.settled();
  add('a');
  add('b');
  let isSettled = false;
  const waiting = commit.settled().then(() => (isSettled = true));
  store.letThrough();
  await settled();
  expect(isSettled).toBe(false);
  store.letThrough();
  await waiting;
  expect(commit.isIdle).toBe(true);
});
