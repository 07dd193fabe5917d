/**
 * A flipped bit in the files of a real LevelDB. What is found here is what `test/simulator/simulated-disk.ts` does: in the
 * log, in CURRENT and in the manifest it is refused by code when the store is opened. In a table LevelDB gives back another
 * value, an older one, nothing at all, or `store-corrupt` (or, seldom, ends the process by an assertion of its own).
 */
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { equalBytes, utf8 } from '../../src/base/bytes.ts';
import { Random } from '../../src/base/random.ts';
import { CodedError } from '../../src/base/result.ts';
import { damageInLog } from '../../src/store/level-log.ts';
import { LevelStore } from '../../src/store/level-store.ts';
import { flipped } from '../flipped.ts';

const ENTRIES = 300;
const SECTOR_BYTES = 512;
const BLOCK_BYTES = 32_768;
let work: string;
/** All in the log, which has more than one block. */
let inLog: string;
/** The same in a table. */
let inTable: string;

const keyOf = (i: number) => utf8(`key-${String(i).padStart(4, '0')}`);
const valueOf = (i: number) => new Random(i).bytes(100);

beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), 'hotledger-flips-'));
  inLog = join(work, 'log');
  inTable = join(work, 'table');
  const store = await LevelStore.open(inLog, { create: true });
  for (let i = 0; i < ENTRIES; i++) {
    await store.batch([{ kind: 'put', key: keyOf(i), value: valueOf(i) }], { sync: i === ENTRIES - 1 });
  }
  await store.close();
  await cp(inLog, inTable, { recursive: true });
  // Opening writes what was in the log to a table.
  await (await LevelStore.open(inTable)).close();
});

afterAll(() => rm(work, { recursive: true }));

async function fileOf(directory: string, pattern: RegExp): Promise<string> {
  const file = (await readdir(directory)).find((name) => pattern.test(name));
  if (file === undefined) throw new Error(`no file ${String(pattern)} in ${directory}`);
  return file;
}

type Outcome = 'right' | 'changed' | 'missing' | `open: ${string}` | `read: ${string}`;

/** What one who opens and reads everything finds. */
async function outcomeOf(directory: string): Promise<Outcome> {
  let store: LevelStore;
  try {
    store = await LevelStore.open(directory);
  } catch (error) {
    return `open: ${codeOf(error)}`;
  }
  try {
    const found = Array.from({ length: ENTRIES }, (_, i) => store.get(keyOf(i)));
    if (found.includes(undefined)) return 'missing';
    return found.every((value, i) => equalBytes(value as Uint8Array, valueOf(i))) ? 'right' : 'changed';
  } catch (error) {
    return `read: ${codeOf(error)}`;
  } finally {
    await store.close();
  }
}

function codeOf(error: unknown): string {
  return error instanceof CodedError ? error.code : String(error);
}

/** Opening writes to the directory. */
async function outcomeOfCopy(directory: string): Promise<Outcome> {
  const copy = join(work, 'untouched');
  await cp(directory, copy, { recursive: true });
  return outcomeOf(copy);
}

/** One bit at each of so many places in the file of a copy. */
async function outcomesOfFlips(directory: string, pattern: RegExp, places: number): Promise<Set<Outcome>> {
  const file = await fileOf(directory, pattern);
  const bytes = await readFile(join(directory, file));
  const copy = join(work, 'copy');
  const outcomes = new Set<Outcome>();
  for (let place = 0; place < places; place++) {
    await cp(directory, copy, { recursive: true });
    await writeFile(join(copy, file), flipped(bytes, 8 * Math.floor((place * bytes.length) / places) + (place % 8)));
    outcomes.add(await outcomeOf(copy));
    await rm(copy, { recursive: true });
  }
  return outcomes;
}

describe('a flipped bit', () => {
  test('in the log is store-corrupt when the store is opened, wherever it is: LevelDB would drop batches', async () => {
    expect(await outcomeOfCopy(inLog)).toBe('right');
    expect(await outcomesOfFlips(inLog, /\.log$/, 41)).toEqual(new Set(['open: store-corrupt']));
  });

  test('in CURRENT or in the manifest is store-corrupt when the store is opened', async () => {
    expect(await outcomesOfFlips(inLog, /^CURRENT$/, 16)).toEqual(new Set(['open: store-corrupt']));
    expect(await outcomesOfFlips(inTable, /^MANIFEST/, 40)).toEqual(new Set(['open: store-corrupt']));
  });

  test.each([
    ['its value is another one', 50, 'changed'],
    ['it is missing', -9, 'missing'],
  ] as const)(
    'in a table is not told: %s, so that what must not change carries a check of its own',
    async (_, at, outcome) => {
      const copy = join(work, outcome);
      await cp(inTable, copy, { recursive: true });
      const file = join(copy, await fileOf(copy, /\.ldb$/));
      const bytes = await readFile(file);
      // Before a value are its key and eight bytes of LevelDB's.
      const value = bytes.indexOf(valueOf(100));
      expect(value).toBeGreaterThan(0);
      await writeFile(file, flipped(bytes, 8 * (value + at) + 2));
      // Where LevelDB tells by itself one day, checks of single values may go.
      expect(await outcomeOf(copy)).toBe(outcome);
    },
  );

  test('in a table may bring back what a key held before', async () => {
    const directory = join(work, 'twice');
    const store = await LevelStore.open(directory, { create: true });
    for (const value of [valueOf(1), valueOf(2)]) {
      await store.batch([{ kind: 'put', key: keyOf(0), value }], { sync: true });
    }
    await store.close();
    await (await LevelStore.open(directory)).close();
    const file = join(directory, await fileOf(directory, /\.ldb$/));
    const bytes = await readFile(file);
    // Of the number of the write, which is then one that this reader must not see yet.
    await writeFile(file, flipped(bytes, 8 * (bytes.indexOf(valueOf(2)) - 1)));
    const damaged = await LevelStore.open(directory);
    expect(damaged.get(keyOf(0))).toEqual(valueOf(1));
    await damaged.close();
  });
});

describe('the log of a LevelDB', () => {
  let log: Uint8Array;

  beforeAll(async () => {
    log = new Uint8Array(await readFile(join(inLog, await fileOf(inLog, /\.log$/))));
  });

  test('has more than one block, and no damage', () => {
    expect(log.length).toBeGreaterThan(BLOCK_BYTES + 1_000);
    expect(damageInLog(log)).toBeUndefined();
    expect(damageInLog(new Uint8Array(0))).toBeUndefined();
  });

  test('shows each flipped bit, none of which passes for what a crash leaves', () => {
    const hidden: string[] = [];
    // Every bit of the last records, where it could pass for a torn one, and one bit of some others. What fills up
    // a block is read by nobody.
    for (let at = 0; at < log.length; at += at < log.length - 300 ? 13 : 1) {
      if (at % BLOCK_BYTES >= BLOCK_BYTES - 7 && log[at] === 0) continue;
      const bits = at < log.length - 300 ? [at % 8] : [0, 1, 2, 3, 4, 5, 6, 7];
      for (const bit of bits) if (damageInLog(flipped(log, 8 * at + bit)) === undefined) hidden.push(`${at}.${bit}`);
    }
    expect(hidden).toEqual([]);
  });

  test('may end anywhere, or in sectors that were never written, after a crash', () => {
    const refused: number[] = [];
    for (let length = 0; length < log.length; length += length < log.length - 1_000 ? 301 : 1) {
      if (damageInLog(log.subarray(0, length)) !== undefined) refused.push(length);
      const unwritten = log.slice();
      unwritten.fill(0, Math.floor(length / SECTOR_BYTES) * SECTOR_BYTES);
      if (damageInLog(unwritten.subarray(0, Math.floor(log.length / SECTOR_BYTES) * SECTOR_BYTES)) !== undefined) {
        refused.push(-length);
      }
    }
    expect(refused).toEqual([]);
  });
});
