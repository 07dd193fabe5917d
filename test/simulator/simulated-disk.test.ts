import { describe, expect, test } from 'vitest';
import { utf8 } from '../../src/base/bytes.ts';
import type { StoreOperation } from '../../src/store/store.ts';
import { fromMacrotask, Scheduler } from './scheduler.ts';
import { SimulatedDisk, SimulatedStore, type DiskMode } from './simulated-disk.ts';

const put = (key: string, value: string): StoreOperation => ({ kind: 'put', key: utf8(key), value: utf8(value) });
const remove = (key: string): StoreOperation => ({ kind: 'delete', key: utf8(key) });

function contentOf(disk: SimulatedDisk): Record<string, string> {
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return Object.fromEntries(Array.from(disk.entries({}), ([key, value]) => [text(key), text(value)]));
}

describe('a power cut', () => {
  test('takes the last batches that were not synced, and no synced one', () => {
    const disk = new SimulatedDisk();
    disk.apply([put('a', '1')], false);
    disk.apply([put('b', '1')], true);
    disk.apply([put('a', '2'), put('c', '1')], false);
    disk.apply([put('a', '3'), remove('b')], false);
    expect(contentOf(disk)).toEqual({ a: '3', c: '1' });
    expect(disk.durable(utf8('a'))).toEqual(utf8('1'));
    expect(disk.durable(utf8('c'))).toBeUndefined();
    disk.powerCut(1);
    expect(contentOf(disk)).toEqual({ a: '2', b: '1', c: '1' });
  });

  test('may take all of them, and what is left then is durable', () => {
    const disk = new SimulatedDisk();
    disk.apply([put('a', '1')], true);
    disk.apply([put('a', '2')], false);
    disk.apply([put('a', '3')], false);
    disk.powerCut(9);
    expect(contentOf(disk)).toEqual({ a: '1' });
    expect(disk.unsyncedBatches).toBe(0);
  });
});

describe('a flipped bit', () => {
  const bitsApart = (a: Uint8Array, b: Uint8Array) =>
    a.reduce((sum, byte, i) => sum + (byte ^ b[i]!).toString(2).replaceAll('0', '').length, 0);

  function written(...keys: readonly string[]): SimulatedDisk {
    const disk = new SimulatedDisk();
    for (const key of keys) disk.apply([put(key, `of ${key}`)], true);
    return disk;
  }

  test('changes one value by one bit, which depends on its place alone', () => {
    for (const place of [0, 1, 2, 3, 1_000_003, 4_294_967_295]) {
      const disk = written('Sa', 'Sb', 'Sc', 'Bx');
      const other = written('Sc', 'Sa', 'Bx', 'Sb');
      expect(disk.flip({ in: 'value', table: 'S', place })).toContain('value of');
      other.flip({ in: 'value', table: 'S', place });
      const values = (of: SimulatedDisk) => ['Sa', 'Sb', 'Sc'].map((key) => of.get(utf8(key))!);
      const apart = values(disk).map((value, i) => bitsApart(value, values(written('Sa', 'Sb', 'Sc'))[i]!));
      expect(apart.toSorted((a, b) => a - b)).toEqual([0, 0, 1]);
      expect(values(other)).toEqual(values(disk));
      expect(disk.get(utf8('Bx'))).toEqual(utf8('of Bx'));
      expect(disk.damage).toBe('flipped');
    }
  });

  test('in a key leaves nothing there, and what was there under another key of the table', () => {
    const disk = written('Sa');
    disk.flip({ in: 'key', table: 'S', place: 0 });
    expect(disk.get(utf8('Sa'))).toBeUndefined();
    expect(contentOf(disk)).toEqual({ [`S${String.fromCharCode('a'.charCodeAt(0) ^ 1)}`]: 'of Sa' });
  });

  test('may make a value unreadable, alone and among others, until it is written again', () => {
    const disk = written('Sa', 'Ba');
    disk.flip({ in: 'block', table: 'S', place: 0 });
    const corrupt = expect.objectContaining({ code: 'store-corrupt' }) as Error;
    expect(() => disk.get(utf8('Sa'))).toThrow(corrupt);
    expect(() => [...disk.entries({})]).toThrow(corrupt);
    expect([...disk.entries({ lt: utf8('C') })]).toHaveLength(1);
    disk.apply([put('Sa', 'again')], true);
    expect(disk.get(utf8('Sa'))).toEqual(utf8('again'));
  });

  test('may bring back what a key held before', () => {
    const disk = written('Msafety');
    expect(disk.flip({ in: 'older', table: 'M', place: 0 })).toBeNull();
    expect(disk.damage).toBe('none');
    disk.apply([put('Msafety', 'later')], true);
    disk.flip({ in: 'older', table: 'M', place: 0 });
    expect(disk.get(utf8('Msafety'))).toEqual(utf8('of Msafety'));
    expect(disk.damage).toBe('forgetful');
  });

  test('in the log shows when the store is opened, and nothing of it is left on a new disk', () => {
    const disk = written('Sa');
    disk.checkLog();
    disk.flip({ in: 'log', table: 'M', place: 0 });
    disk.flip({ in: 'block', table: 'S', place: 0 });
    expect(() => disk.checkLog()).toThrow(expect.objectContaining({ code: 'store-corrupt' }));
    disk.wipe();
    disk.checkLog();
    expect(disk.get(utf8('Sa'))).toBeUndefined();
    expect(disk.damage).toBe('none');
  });

  test('in a table without anything hits nothing', () => {
    const disk = written('Sa');
    expect(disk.flip({ in: 'value', table: 'U', place: 7 })).toBeNull();
    expect(disk.damage).toBe('none');
  });
});

describe('a store on it', () => {
  function opened(mode: DiskMode = 'ok') {
    const disk = new SimulatedDisk();
    const scheduler = new Scheduler();
    const process = { ended: false };
    const effects: string[] = [];
    const faults = { mode, writeMs: () => 5, onEffect: (what: string) => void effects.push(what) };
    return { disk, scheduler, process, effects, store: new SimulatedStore(disk, scheduler, process, faults) };
  }

  test('shows a batch when it is written, and tells so then', async () => {
    const seen = await fromMacrotask(() => {
      const { scheduler, store, effects } = opened();
      const order: unknown[] = [];
      void store.batch([put('a', '1')], { sync: true }).then(() => order.push(`told at ${scheduler.nowMs}`));
      order.push(store.get(utf8('a')) ?? 'not there yet');
      while (scheduler.step(100)) order.push(store.get(utf8('a')));
      return { order, effects };
    });
    expect(seen.order).toEqual(['not there yet', 'told at 5', utf8('1')]);
    expect(seen.effects).toEqual(['before-write', 'after-write']);
  });

  test('writes in order, whole batches, and none for a process that has ended', async () => {
    const content = await fromMacrotask(() => {
      const { disk, process, scheduler, store } = opened();
      void store.batch([put('a', '1')], { sync: false });
      void store.batch([put('b', '1'), put('c', '1')], { sync: true });
      while (scheduler.step(7)) continue;
      process.ended = true;
      while (scheduler.step(100)) continue;
      return contentOf(disk);
    });
    expect(content).toEqual({ a: '1' });
  });

  test('refuses when the disk is full, and writes nothing', async () => {
    const { disk, store } = opened('full');
    await expect(store.batch([put('a', '1')], { sync: true })).rejects.toMatchObject({ code: 'store-disk-full' });
    expect(contentOf(disk)).toEqual({});
  });
});
