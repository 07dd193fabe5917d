/**
 * Nodes whose next blocks are pruned everywhere, as real processes: one that began at genesis while nobody was there, one
 * that was away, one that is not to take a snapshot, and a validator, which keeps what it signed and votes again.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { eventually } from '../eventually.ts';
import { TestNetwork } from '../e2e/harness.ts';
import { Load } from '../e2e/load.ts';

const NODES = 6;
const DEADLINE_MS = 300_000;
const SETTINGS = {
  snapshots: { everyBlocks: 20, keep: 2 },
  pruning: { policy: 'keepBlocks', keepBlocks: 5 },
  join: { waitSeconds: 1 },
} as const;
const LATE = 'validator-4';

test(
  'a node whose next blocks are pruned everywhere takes a snapshot by itself, and a validator keeps what it signed',
  async () => {
    const network = await TestNetwork.make({ observers: 3, settings: SETTINGS });
    const [lone, away, archive] = network.names('observer') as [string, string, string];
    const validators = network.names('validator');
    await network.startNodes([...validators, away]);
    const load = new Load(network, NODES);
    await eventually('there is a ledger', () => load.acknowledged.length >= 10 || undefined);
    await network.caughtUp(away);
    const before = await network.status(LATE);
    await network.stop(away);
    await network.kill(LATE);
    const others = validators.filter((name) => name !== LATE);
    load.targets = others;
    const reached = before.height;
    await eventually('all blocks that they had are pruned', async () => {
      const statuses = await Promise.all(others.map((name) => network.status(name)));
      return statuses.every(({ oldestBlock }) => oldestBlock > reached + 40) || undefined;
    });

    await network.startNodes([archive], ['--join', 'genesis']);
    await saysPruned(network, archive);
    await network.stop(archive);

    await network.startNodes([away]);
    await turns(network, away);

    await network.startNodes([LATE]);
    await turns(network, LATE);
    const after = await eventually(`${LATE} votes again`, async () => {
      const status = await network.status(LATE);
      return status.lastVotedRound > before.lastVotedRound + 20 ? status : undefined;
    });
    expect(after.silentBecause).toBeNull();

    await load.finish();
    await network.stop(...others, LATE, away);
    await network.startNodes([lone]);
    expect(network.log(lone)).toContain('nobody-answers');
    await network.startNodes(validators);
    await turns(network, lone);
    await network.level([...validators, lone], load.highestAcknowledged());
    expect(load.refused).toEqual([]);
  },
  DEADLINE_MS,
);

/** It says so in its status, and goes on with the ledger that it has. */
async function saysPruned(network: TestNetwork, name: string): Promise<void> {
  const detail = await eventually(`${name} says that it cannot go on`, async () => {
    const { components } = await network.status(name);
    const sync = components.find((component) => component.name === 'sync');
    return sync?.healthy === false && sync.detail.includes('join-not-wanted') ? sync.detail : undefined;
  });
  expect(detail).toContain('blocks-pruned');
  const status = await network.run('status', '--config', network.node(name).configFile);
  expect([status.exit, status.out]).toEqual([1, expect.stringContaining('blocks-pruned') as unknown]);
  expect((await network.status(name)).height).toBe(0);
}

/** The process goes on: it joins, and has a ledger that begins at a snapshot. */
async function turns(network: TestNetwork, name: string): Promise<void> {
  await eventually(
    `${name} turned to a snapshot`,
    () => network.log(name).includes('took the place of the one that could not go on') || undefined,
  );
  await eventually(`${name} runs`, async () => (await network.status(name)).engine !== 'joining' || undefined);
  await network.caughtUp(name);
  const { oldestBlock } = await network.status(name);
  expect(oldestBlock).toBeGreaterThan(0);
  const names = await readdir(network.node(name).dataDirectory);
  expect(names.filter((each) => each.startsWith('rejoin') || each.startsWith('ledger-'))).toEqual([]);
  expect(await readdir(join(network.node(name).dataDirectory, 'snapshots'))).not.toEqual([]);
}
