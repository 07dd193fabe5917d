import { appendFile, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { textFromUtf8, utf8 } from '../../../src/base/bytes.ts';
import { layoutOp, stepsOp } from '../../../src/ledger/layout-history.ts';
import { LAYOUT_VERSION } from '../../../src/ledger/layout.ts';
import { cloneStore } from '../../../src/node/clone-store.ts';
import { migrate, migrationStatus, tryMigration } from '../../../src/node/migrate/migrate.ts';
import { ledgerDirectory, throughClone } from '../../../src/node/open-store.ts';
import { LevelStore } from '../../../src/store/level-store.ts';
import type { StoreOperation } from '../../../src/store/store.ts';
import { startFakeNode } from '../../cli/fake-node.ts';
import { temporaryDirectory } from '../directory.ts';
import { contentsOf } from './directories.ts';
import { toyOps, withToy } from './toy-step.ts';

const known = withToy();
const LOOKS = 20;
const KEYS = Array.from({ length: 50 }, (_, index) => utf8(`W${String(index).padStart(3, '0')}`));
const WHOLE = { gte: Uint8Array.of(0), lt: Uint8Array.of(0xff) };

async function openDirectory(): Promise<{ data: string; store: LevelStore }> {
  const data = join(await temporaryDirectory(), 'data');
  await mkdir(data);
  const store = await LevelStore.open(ledgerDirectory(data), { create: true });
  await store.batch(toyOps(), { sync: true });
  return { data, store };
}

/** A store in which batch n gives every key the number n; it is written and merged again and again until the test is over. */
async function busyDirectory() {
  const { data, store } = await openDirectory();
  const state = { written: 0, isOver: false };
  const write = async (): Promise<void> => {
    const value = utf8(
      String(state.written + 1)
        .padStart(8, '0')
        .repeat(50),
    );
    await store.batch(
      KEYS.map((key): StoreOperation => ({ kind: 'put', key, value })),
      { sync: false },
    );
    state.written++;
  };
  await write();
  const writing = (async () => {
    while (!state.isOver) {
      for (let i = 0; i < 5; i++) await write();
      await store.compact(WHOLE);
    }
  })();
  onTestFinished(async () => {
    state.isOver = true;
    await writing;
    await store.close();
  });
  return { data, state };
}

const numberIn = (store: LevelStore, key: Uint8Array): number => Number(textFromUtf8(store.get(key)!.subarray(0, 8)));

describe('a store that another process writes to and merges all the while', () => {
  test('is looked at as it was at one moment, with all that was written before', async () => {
    const { data, state } = await busyDirectory();
    for (let look = 0; look < LOOKS; look++) {
      const before = state.written;
      const numbers = await throughClone(ledgerDirectory(data), (store) => KEYS.map((key) => numberIn(store, key)));
      expect(new Set(numbers).size).toBe(1);
      expect(numbers[0]).toBeGreaterThanOrEqual(before);
    }
    expect(await readdir(data)).toEqual(['ledger']);
  });

  test('is asked for its status, and tried, and refused to be migrated', async () => {
    const { data } = await busyDirectory();
    for (let look = 0; look < 6; look++) {
      expect(await migrationStatus(data, known)).toMatchObject({ layout: LAYOUT_VERSION });
      const options = { direction: 'up', known, onProgress: () => undefined } as const;
      expect(await tryMigration(data, { ...options, limitMs: 60_000 })).toMatchObject({ unfinished: null });
      await expect(migrate(data, { ...options, backup: true })).rejects.toMatchObject({ code: 'store-locked' });
    }
  });

  test('and changes whenever it was copied, is given up', async () => {
    const { data, store } = await openDirectory();
    await store.close();
    const from = ledgerDirectory(data);
    const manifest = (await readdir(from)).find((file) => file.startsWith('MANIFEST')) ?? '';
    const cloning = cloneStore(from, join(data, 'clone'), { beforeCheck: () => appendFile(join(from, manifest), 'x') });
    await expect(cloning).rejects.toMatchObject({ code: 'store-busy', details: { passes: 100 } });
  });
});

test('a table that is made while the others are linked is taken too, where the manifest names it', async () => {
  const { data, store } = await openDirectory();
  const before = ledgerDirectory(data);
  const tables = async (directory: string) => (await readdir(directory)).filter((file) => file.endsWith('.ldb'));
  let passes = 0;
  await cloneStore(before, join(data, 'clone'), {
    beforeCheck: async () => {
      if (++passes === 1) await store.compact(WHOLE);
    },
  });
  expect(passes).toBe(2);
  expect(await tables(join(data, 'clone'))).toEqual(await tables(before));
  const clone = await LevelStore.open(join(data, 'clone'));
  expect(clone.get(utf8('T000'))).toEqual(utf8('value 0'));
  await clone.close();
  await store.close();
});

test('another CURRENT is another manifest', async () => {
  const { data, store } = await openDirectory();
  await store.close();
  const from = ledgerDirectory(data);
  const before = await contentsOf(data);
  const [first] = (await readdir(from)).filter((file) => file.startsWith('MANIFEST'));
  let passes = 0;
  await cloneStore(from, join(data, 'clone'), {
    beforeCheck: async () => {
      // A process that opened the store begins a manifest.
      if (++passes === 1) await (await LevelStore.open(from)).close();
    },
  });
  expect([passes, (await readdir(from)).includes(first!)]).toEqual([2, false]);
  const clone = await LevelStore.open(join(data, 'clone'));
  expect(clone.get(utf8('T000'))).toEqual(utf8('value 0'));
  await clone.close();
  expect(await contentsOf(data)).toEqual(before);
});

test('migrate up beside a node says so, also where nothing is to be done, and where it would be refused anyway', async () => {
  const { directory } = await startFakeNode();
  const up = () => migrate(directory, { direction: 'up', backup: true, onProgress: () => undefined });
  await expect(up()).rejects.toMatchObject({ code: 'store-locked' });
  const store = await LevelStore.open(ledgerDirectory(directory), { create: true });
  await store.batch([layoutOp(99), stepsOp([])], { sync: true });
  await expect(up()).rejects.toMatchObject({ code: 'store-locked' });
  await store.batch(toyOps(), { sync: true });
  await expect(up()).rejects.toMatchObject({ code: 'store-locked' });
  await store.close();
  await rm(ledgerDirectory(directory), { recursive: true });
  await writeFile(ledgerDirectory(directory), 'no directory');
  await expect(up()).rejects.toMatchObject({ code: 'store-locked' });
});
