import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { STEPS } from '../../../migrations/list.ts';
import { LAYOUT_VERSION } from '../../../src/ledger/layout.ts';
import { migrate, migrationStatus } from '../../../src/node/migrate/migrate.ts';
import { ledgerDirectory, openStore } from '../../../src/node/open-store.ts';
import { runStep } from '../../../src/node/migrate/run-step.ts';
import { LevelStore } from '../../../src/store/level-store.ts';
import type { Store } from '../../../src/store/store.ts';
import { MemoryDisk, MemoryStore } from '../../store/memory-store.ts';
import { temporaryDirectory } from '../directory.ts';
import { contentsOf, copyOf } from './directories.ts';
import { makeLayoutTwo } from './made-directory.ts';

class ProcessEnded extends Error {}

const quiet = () => undefined;

/** The process ends before the n-th write, or behind it. */
function endingAt(disk: MemoryDisk, last: number, isWritten: boolean): Store {
  const store = new MemoryStore(disk);
  let writes = 0;
  return {
    get: (key) => store.get(key),
    entries: (range) => store.entries(range),
    close: () => store.close(),
    async batch(operations) {
      const ends = writes++ === last;
      if (!ends || isWritten) await store.batch(operations);
      if (ends) throw new ProcessEnded();
    },
  };
}

async function diskOf(fixture: string): Promise<MemoryDisk> {
  const disk = new MemoryDisk();
  const { data } = await copyOf(fixture);
  for (const [key, value] of await contentsOf(data)) disk.entries.set(key, Uint8Array.from(Buffer.from(value, 'hex')));
  return disk;
}

function copied(disk: MemoryDisk): MemoryDisk {
  const copy = new MemoryDisk();
  for (const [key, value] of disk.entries) copy.entries.set(key, value);
  return copy;
}

describe.each(['layout-1', 'layout-1-raft', 'layout-2', 'layout-2-raft'])('the migrations of %s', (fixture) => {
  test('end at the same bytes when the process ends before or behind any single write, up and down', async () => {
    const from = Number(/\d+/.exec(fixture)?.[0]);
    let before = await diskOf(fixture);
    let ends = 0;
    for (const direction of ['up', 'down'] as const) {
      const steps = direction === 'up' ? STEPS : STEPS.toReversed();
      for (const step of steps.filter((each) => each.from >= from)) {
        const right = copied(before);
        await runStep(new MemoryStore(right), step, direction, { onProgress: quiet });
        for (let write = 0, isOver = false; !isOver; write++) {
          for (const isWritten of [false, true]) {
            const disk = copied(before);
            try {
              await runStep(endingAt(disk, write, isWritten), step, direction, { onProgress: quiet });
              isOver = true;
              continue;
            } catch (error) {
              if (!(error instanceof ProcessEnded)) throw error;
            }
            ends++;
            const again = new MemoryStore(disk);
            if (!equal(disk, right)) await runStep(again, step, direction, { onProgress: quiet });
            expect(equal(disk, right)).toBe(true);
          }
        }
        before = right;
      }
    }
    expect(ends).toBeGreaterThan(8);
  });
});

function equal(a: MemoryDisk, b: MemoryDisk): boolean {
  if (a.entries.size !== b.entries.size) return false;
  for (const [key, value] of a.entries) {
    const other = b.entries.get(key);
    if (other === undefined || Buffer.compare(value, other) !== 0) return false;
  }
  return true;
}

test('a process that is killed with -9 behind each of its batches goes on to the same bytes', async () => {
  const work = await temporaryDirectory();
  const data = join(work, 'data');
  await mkdir(data);
  const store = await LevelStore.open(ledgerDirectory(data), { create: true });
  await makeLayoutTwo(store, 2_500);
  await store.close();
  const other = join(work, 'other');
  await cp(data, other, { recursive: true });
  await migrate(other, { direction: 'up', backup: false, onProgress: quiet });

  const life = async (): Promise<string | null> => {
    const child = spawn(process.execPath, [join(import.meta.dirname, 'killed.ts'), data, 'up', '1'], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const [, signal] = (await once(child, 'exit')) as [number | null, string | null];
    return signal;
  };
  let kills = 0;
  while ((await life()) === 'SIGKILL') {
    kills++;
    const { refusal } = await migrationStatus(data);
    if (refusal === null) continue;
    expect(refusal.code).toBe('migration-under-way');
    await expect(openStore(data, { create: true })).rejects.toMatchObject({ code: 'migration-under-way' });
  }
  // The beginning, three batches of blocks, one of changes, one of DHT heights, what is under M, the end.
  expect(kills).toBe(8);
  expect(await migrationStatus(data)).toMatchObject({ layout: LAYOUT_VERSION, refusal: null });
  expect(await contentsOf(data)).toEqual(await contentsOf(other));
}, 120_000);
