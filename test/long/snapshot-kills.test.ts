/** Work on snapshots, killed with -9 before every single step of it on the disk. The short form is in `test/node/snapshot`. */
import { expect, test } from 'vitest';
import { killedExporting, killedMaking, killedRestoring } from '../node/snapshot/killed-work.ts';

const EVERYWHERE = [
  { thread: 'worker', steps: 'all' },
  { thread: 'main', steps: 'all' },
] as const;
const DEADLINE_MS = 15 * 60_000;

test(
  'making a snapshot and dropping blocks behind it, killed before every step, leaves what was listed whole and no half',
  async () => {
    const { deaths, dropped } = await killedMaking(EVERYWHERE);
    expect(dropped).toBe(true);
    expect(deaths).toBeGreaterThan(15);
    console.log(`making: killed ${deaths} times`);
  },
  DEADLINE_MS,
);

test(
  'restoring a snapshot, killed before every step, goes on to the same ledger',
  async () => {
    const deaths = await killedRestoring(EVERYWHERE);
    expect(deaths).toBeGreaterThan(8);
    console.log(`restoring: killed ${deaths} times`);
  },
  DEADLINE_MS,
);

test(
  'exporting a snapshot, killed before every step, leaves no file of that name until it is whole',
  async () => {
    const deaths = await killedExporting([{ thread: 'main', steps: 'all' }]);
    expect(deaths).toBeGreaterThan(6);
    console.log(`exporting: killed ${deaths} times`);
  },
  DEADLINE_MS,
);
