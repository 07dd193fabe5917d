/**
 * Work on snapshots, killed with -9 before every single step of it on the disk, and at moments that nobody chose in
 * validators under load. The short form is in `test/node/snapshot`.
 */
import { expect, test } from 'vitest';
import { Random } from '../../src/base/random.ts';
import { CodedError } from '../../src/base/result.ts';
import { BlockLog } from '../../src/ledger/block-log.ts';
import { ledgerDirectory } from '../../src/node/open-ledger.ts';
import { LevelStore } from '../../src/store/level-store.ts';
import { eventually } from '../eventually.ts';
import { TestNetwork } from '../e2e/harness.ts';
import { Load } from '../e2e/load.ts';
import { listedAndVerified } from '../node/snapshot/kills.ts';
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

const CYCLES = 8;
/** A validator that is down for some seconds finds the blocks behind its ledger when it comes back. */
const KEEP_BLOCKS = 32;
/** Events between two kills. */
const EVENTS_MAX = 25;

test(
  'validators that make snapshots and drop blocks, killed under load, keep what a verified snapshot does not hold',
  async () => {
    const random = new Random(Number(process.env['SEED'] ?? 1));
    const settings = {
      snapshots: { everyBlocks: 3, keep: 1 },
      pruning: { policy: 'keepBlocks', keepBlocks: KEEP_BLOCKS },
    };
    const network = await TestNetwork.start({ observers: 0, settings: settings as object });
    const names = network.names('validator');
    const load = new Load(network, 6);
    const floors: number[] = [];
    for (let cycle = 0; cycle < CYCLES; cycle++) {
      const wanted = load.acknowledged.length + 1 + random.below(EVENTS_MAX);
      await eventually('more events are acknowledged', () => load.acknowledged.length >= wanted || undefined);
      const victim = random.pick(names);
      // In half of the cases the kill falls into one that was just asked for.
      const asked = random.below(2) === 0 ? snapshotOf(network, victim) : null;
      await network.kill(victim);
      await asked;
      const { dataDirectory } = network.node(victim);
      const [newest = 0] = await listedAndVerified({ chain: network, config: { dataDirectory } });
      const floor = await floorOf(network, dataDirectory);
      floors.push(floor);
      expect(floor, `cycle ${cycle}, ${victim}: the newest snapshot is of ${newest}`).toBeLessThanOrEqual(newest);
      await network.startNodes([victim]);
      await network.caughtUp(victim);
    }
    await load.finish();
    expect(load.refused).toEqual([]);
    await network.level(names, load.highestAcknowledged());
    console.log(`in validators: the log began at ${floors.join(', ')} when they were killed`);
    expect(Math.max(...floors)).toBeGreaterThan(KEEP_BLOCKS);
  },
  DEADLINE_MS,
);

/** Whatever comes of it: its node is about to be killed. */
async function snapshotOf(network: TestNetwork, name: string): Promise<void> {
  await network
    .process(name)
    .control.snapshotCreate()
    .catch((error: unknown) => {
      if (!(error instanceof CodedError)) throw error;
    });
}

/** Of a node that does not run: every block from there on is in the log. */
async function floorOf({ chainId }: TestNetwork, dataDirectory: string): Promise<number> {
  const store = await LevelStore.open(ledgerDirectory(dataDirectory));
  try {
    const log = BlockLog.over(store, { chainId, validatorKey: null });
    for (let height = log.floor(); height <= log.head().height; height++) {
      expect(log.sealedBytesAt(height), `block ${height}`).toBeDefined();
    }
    return log.floor();
  } finally {
    await store.close();
  }
}
