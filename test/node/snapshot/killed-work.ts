/** Work on snapshots killed at steps of its way: each function does one kind of it again and again, and looks after each kill. */
import { access, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { committedBlockOps } from '../../../src/ledger/block-log.ts';
import { ledgerDirectory, openLedger } from '../../../src/node/open-ledger.ts';
import { openSnapshot, verifyChunks } from '../../../src/node/snapshot/open-snapshot.ts';
import { readRestoring } from '../../../src/node/snapshot/restoring-record.ts';
import { snapshotInFile } from '../../../src/node/snapshot/snapshot-source.ts';
import { LevelStore } from '../../../src/store/level-store.ts';
import { diesAt, LAUNCHER, listedAndVerified, opensAtHead, SNAPSHOT_PROCESS, type Death } from './kills.ts';
import { emptyPlace, snapshotIn, testLedger, type TestLedger } from './ledger.ts';

export interface Deaths {
  readonly thread: Death['thread'];
  /** All: up to the one that the work no longer comes to. */
  readonly steps: readonly number[] | 'all';
}

/** Far more than any of this work has. */
const MAX_STEPS = 200;
/** Three batches of dropping. */
const BLOCKS = 300;
const SETTINGS = { snapshots: { keep: 1 }, pruning: { policy: 'keepBlocks', keepBlocks: 5 } };

/** @param kill resolves to whether the process died; of all steps, the first where it did not is the last */
async function eachStep(deaths: readonly Deaths[], kill: (death: Omit<Death, 'within'>) => Promise<boolean>) {
  let died = 0;
  for (const { steps, thread } of deaths) {
    for (let i = 0; i < (steps === 'all' ? MAX_STEPS : steps.length); i++) {
      const step = steps === 'all' ? i + 1 : (steps[i] as number);
      const isDead = await kill({ thread, step });
      if (isDead) died++;
      else if (steps === 'all') break;
      else throw new Error(`there is no step ${step} of the ${thread} thread: it came to its end before`);
    }
  }
  return died;
}

/** As in a running node: a snapshot at a new head each time, the older ones removed, and blocks dropped behind it. */
export async function killedMaking(deaths: readonly Deaths[]) {
  const ledger = await testLedger(BLOCKS);
  await snapshotIn(ledger);
  const file = { genesis: 'genesis.json', dataDirectory: 'data', ...SETTINGS };
  await writeFile(join(ledger.directory, 'config.json'), JSON.stringify(file));
  const make = (death: Omit<Death, 'within'>): Promise<boolean> =>
    diesAt({ ...death, within: 'snapshots' }, ledger.directory, [SNAPSHOT_PROCESS, 'config.json']);
  let floor = 0;
  const died = await eachStep(deaths, async (death) => {
    await oneBlockMore(ledger);
    const isDead = await make(death);
    const [newest = -1, ...older] = await listedAndVerified(ledger);
    // The one before is removed once the new one is there.
    expect(newest, `killed before step ${death.step} of ${death.thread}`).toBeGreaterThan(0);
    expect(older.length).toBeLessThanOrEqual(1);
    floor = await opensAtHead(ledger, newest);
    return isDead;
  });
  await oneBlockMore(ledger);
  expect(await make({ thread: 'main', step: 0 })).toBe(false);
  const head = ledger.chain.head.header.height;
  expect(await listedAndVerified(ledger)).toEqual([head]);
  expect(await opensAtHead(ledger, head)).toBe(head - SETTINGS.pruning.keepBlocks + 1);
  return { deaths: died, dropped: floor > 0 };
}

async function oneBlockMore({ chain, config }: TestLedger): Promise<void> {
  const store = await LevelStore.open(ledgerDirectory(config.dataDirectory));
  const { changes, sealed } = chain.commit([chain.join(chain.head.header.height + 1)]);
  await store.batch(committedBlockOps(sealed, changes), { sync: true });
  await store.close();
}

/** Into an empty place each time; the same command then goes on to the end. @returns how often it died */
export async function killedRestoring(deaths: readonly Deaths[]): Promise<number> {
  const made = await testLedger(12);
  await snapshotIn(made);
  const from = join(made.config.dataDirectory, 'snapshots', '12');
  return eachStep(deaths, async (death) => {
    const place = { chain: made.chain, ...(await emptyPlace(made.chain)) };
    const argv = [LAUNCHER, 'snapshot', 'restore', '--config', 'config.json', from];
    const isDead = await diesAt({ ...death, within: place.config.dataDirectory }, place.directory, argv);
    if (isDead && (await isUnderWay(place.config.dataDirectory))) {
      const opened = openLedger(place.config.dataDirectory, made.chain.genesis, null);
      await expect(opened).rejects.toMatchObject({ code: 'restore-unfinished' });
    }
    if (isDead) expect(await diesAt({ thread: 'main', step: 0, within: '' }, place.directory, argv)).toBe(false);
    expect(await listedAndVerified(place)).toEqual([12]);
    expect(await opensAtHead(place, 12)).toBe(12);
    return isDead;
  });
}

async function isUnderWay(dataDirectory: string): Promise<boolean> {
  const directory = ledgerDirectory(dataDirectory);
  if (!(await isThere(join(directory, 'CURRENT')))) return false;
  const store = await LevelStore.open(directory);
  const isRestoring = readRestoring(store) !== undefined;
  await store.close();
  return isRestoring;
}

/** To one name each time, until it is there. @returns how often it died */
export async function killedExporting(deaths: readonly Deaths[]): Promise<number> {
  const made = await testLedger(12);
  await snapshotIn(made);
  const path = join(made.directory, 'out.snapshot');
  const run = (death: Omit<Death, 'within'>): Promise<boolean> =>
    diesAt({ ...death, within: path }, made.directory, [
      ...[LAUNCHER, 'snapshot', 'export', '--config', 'config.json', path],
    ]);
  const isWhole = async (): Promise<boolean> => {
    if (!(await isThere(path))) return false;
    const snapshot = await openSnapshot(await snapshotInFile(path), made.chain.genesis);
    return (await verifyChunks(snapshot, 1, () => undefined)) === made.chain.backing.entries.size;
  };
  const died = await eachStep(deaths, async (death) => {
    const isDead = await run(death);
    expect(await isWhole(), `killed before step ${death.step}`).toBe(!isDead);
    return isDead;
  });
  // What was left under another name is in nobody's way.
  if (!(await isWhole())) expect(await run({ thread: 'main', step: 0 })).toBe(false);
  expect(await isWhole()).toBe(true);
  expect(await isThere(`${path}.part`)).toBe(false);
  return died;
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
