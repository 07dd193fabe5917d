/** Work on snapshots that is killed with -9 at steps of its way; `test/long` takes every step. */
import { expect, test } from 'vitest';
import { killedExporting, killedMaking, killedRestoring } from './killed-work.ts';

const DEADLINE_MS = 90_000;

test(
  'making a snapshot and dropping blocks behind it, killed on the way, leaves what was listed whole and no half',
  async () => {
    const deaths = [
      { thread: 'worker', steps: [3] },
      { thread: 'main', steps: [14, 7] },
    ] as const;
    const killed = await killedMaking(deaths);
    expect(killed).toEqual({ deaths: 3, dropped: true });
  },
  DEADLINE_MS,
);

test(
  'restoring a snapshot, killed on the way, goes on to the same ledger',
  async () => {
    const deaths = [
      { thread: 'worker', steps: [2] },
      { thread: 'main', steps: [4] },
    ] as const;
    expect(await killedRestoring(deaths)).toBe(2);
  },
  DEADLINE_MS,
);

test(
  'exporting a snapshot, killed on the way, leaves no file of that name until it is whole',
  async () => {
    expect(await killedExporting([{ thread: 'main', steps: [2, 6] }])).toBe(2);
  },
  DEADLINE_MS,
);
