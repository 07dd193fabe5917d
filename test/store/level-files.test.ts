import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { utf8 } from '../../src/base/bytes.ts';
import { Random } from '../../src/base/random.ts';
import { checkLevelFiles } from '../../src/store/level-files.ts';
import { LevelStore } from '../../src/store/level-store.ts';
import { damageInTable } from '../../src/store/level-table.ts';
import { unsnappied } from '../../src/store/snappy.ts';
import { flipped } from '../flipped.ts';

let work: string;
let directory: string;

/** Values that compress and values that do not, in a table, and some more in the log. */
beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), 'hotledger-files-'));
  directory = join(work, 'store');
  const write = async (from: number, to: number): Promise<void> => {
    const store = await LevelStore.open(directory, { create: true });
    for (let i = from; i < to; i++) {
      const value = i % 2 === 0 ? new Random(i).bytes(300) : utf8('again '.repeat(60));
      await store.batch([{ kind: 'put', key: utf8(`key-${i}`), value }], { sync: false });
    }
    await store.close();
  };
  await write(0, 600);
  // Opening writes what was in the log to a table.
  await write(600, 650);
});

afterAll(() => rm(work, { recursive: true }));

async function tableOf(from: string): Promise<readonly [file: string, content: Uint8Array]> {
  const file = (await readdir(from)).find((name) => name.endsWith('.ldb')) ?? '';
  return [file, new Uint8Array(await readFile(join(from, file)))];
}

describe('the files of a store', () => {
  test('are whole as LevelDB wrote them', async () => {
    const told: string[] = [];
    const checked = await checkLevelFiles(directory, (file) => told.push(file));
    expect(checked).toMatchObject({ files: told.length, damaged: [] });
    expect(told.some((file) => file.endsWith('.ldb'))).toBe(true);
    expect(told.some((file) => file.endsWith('.log'))).toBe(true);
    expect(told.some((file) => file.startsWith('MANIFEST'))).toBe(true);
    expect(checked.bytes).toBeGreaterThan(100_000);
  });

  test('are damaged by one bit, wherever it is in a table', async () => {
    const [, content] = await tableOf(directory);
    const random = new Random(7);
    const places = [0, 8 * content.length - 1, ...Array.from({ length: 300 }, () => random.below(8 * content.length))];
    const missed = places.filter((bit) => damageInTable(flipped(content, bit)) === undefined);
    // Between the handles and the magic number of the footer are bytes that mean nothing.
    const padding = missed.every((bit) => bit >= 8 * (content.length - 48) && bit < 8 * (content.length - 8));
    expect(padding).toBe(true);
    expect(missed.length).toBeLessThan(5);
  });

  test('are damaged where they are cut off, or are no table at all', async () => {
    const [, content] = await tableOf(directory);
    for (const length of [0, 1, 47, 48, 100, content.length - 1]) {
      expect(damageInTable(content.slice(0, length))).toBeDefined();
    }
    expect(damageInTable(new Random(1).bytes(5000))).toBeDefined();
  });

  test('are named with the place of the damage', async () => {
    const copy = join(work, 'copy');
    await cp(directory, copy, { recursive: true });
    const [file, content] = await tableOf(copy);
    await writeFile(join(copy, file), flipped(content, 8 * 5000));
    const log = (await readdir(copy)).find((name) => name.endsWith('.log')) ?? '';
    await writeFile(join(copy, log), flipped(new Uint8Array(await readFile(join(copy, log))), 8 * 100));
    const { damaged } = await checkLevelFiles(copy, () => undefined);
    expect(damaged.map((damage) => damage.file).sort()).toEqual([file, log].sort());
    const inTable = damaged.find((damage) => damage.file === file)?.offset ?? 0;
    expect(inTable).toBeLessThanOrEqual(5000);
    expect(inTable).toBeGreaterThan(0);
  });
});

describe('what is compressed by Snappy', () => {
  test('comes out as it went in: bytes as they are, and copies that reach into what they make', () => {
    const bytes = (...list: number[]) => Uint8Array.from(list);
    expect(unsnappied(bytes(3, 2 << 2, 97, 98, 99))).toEqual(utf8('abc'));
    // "ab", then four bytes from two back: kinds 1, 2 and 3.
    expect(unsnappied(bytes(6, 1 << 2, 97, 98, 1, 2))).toEqual(utf8('ababab'));
    expect(unsnappied(bytes(6, 1 << 2, 97, 98, (3 << 2) | 2, 2, 0))).toEqual(utf8('ababab'));
    expect(unsnappied(bytes(6, 1 << 2, 97, 98, (3 << 2) | 3, 2, 0, 0, 0))).toEqual(utf8('ababab'));
    expect(unsnappied(bytes(61, 60 << 2, 60, ...Array.from({ length: 61 }, () => 7)))).toEqual(
      new Uint8Array(61).fill(7),
    );
  });

  test('is refused where it ends early, is longer than it says, or copies from before its beginning', () => {
    for (const list of [[], [3], [3, 8, 97], [1, 4, 97, 98], [6, 4, 97, 98, 1, 3], [6, 4, 97, 98, 1, 0], [255, 255]]) {
      expect(unsnappied(Uint8Array.from(list))).toBeUndefined();
    }
    const random = new Random(3);
    for (let i = 0; i < 2000; i++) unsnappied(random.bytes(random.below(60)));
  });
});
