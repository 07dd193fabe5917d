/** New nodes on a network that runs under load, in other ways: a validator that lost its disk, and a node that is given a snapshot as a file. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { TestNetwork } from '../e2e/harness.ts';
import { acknowledgedMore, configOf, snapshotOf } from '../e2e/joining.ts';
import { Load } from '../e2e/load.ts';

test('nodes join a network under load by a file, and on a disk that was lost', { timeout: 240_000 }, async () => {
  const network = await TestNetwork.make();
  const validators = network.names('validator');
  await network.startNodes(validators);
  const load = new Load(network, 6);
  await acknowledgedMore(load, 20);
  await snapshotOf(network, 'validator-1', 'validator-2');
  await acknowledgedMore(load, 20);

  await network.kill('validator-4');
  load.targets = validators.filter((name) => name !== 'validator-4');
  await rm(network.node('validator-4').dataDirectory, { recursive: true });
  await network.startNodes(['validator-4']);
  await network.caughtUp('validator-4');
  // What this key signed is unknown: it follows, and never votes again.
  expect((await network.status('validator-4')).silentBecause).toContain('no safety record');

  const file = join(network.directory, 'ledger.snapshot');
  const exported = await network.run('snapshot', 'export', '--config', configOf(network, 'validator-1'), file);
  expect(exported.exit, exported.err).toBe(0);
  const restored = await network.run('snapshot', 'restore', '--config', configOf(network, 'observer'), file);
  expect(restored.exit, restored.err).toBe(0);
  await network.startNodes(['observer']);
  await network.caughtUp('observer');
  expect(network.log('observer')).not.toContain('joining');

  await load.finish();
  expect(load.refused).toEqual([]);
  await network.level([...validators, 'observer'], load.highestAcknowledged());
});
