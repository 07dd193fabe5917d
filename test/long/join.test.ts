/** A node that joins and is killed with -9 again and again: at whatever moment, the next start goes on, and it follows in the end. */
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Random } from '../../src/base/random.ts';
import { NodeProcess } from '../../src/cli/devnet/node-process.ts';
import { Load } from '../e2e/load.ts';
import { TestNetwork } from '../e2e/harness.ts';
import { eventually } from '../eventually.ts';

const SEED = 20_261_126;
const JOINS = 3;
const KILLS = 8;
/** From before the first question to after the first block behind the snapshot, on a machine with time for it. */
const LONGEST_LIFE_MS = 3_000;

test('an observer that is killed with -9 while it joins follows in the end', { timeout: 900_000 }, async () => {
  const network = await TestNetwork.make({ observers: JOINS });
  const validators = network.names('validator');
  await network.startNodes(validators);
  const load = new Load(network, 6);
  await eventually('there is something to take', () => load.acknowledged.length >= 40 || undefined);
  await network.stop('validator-1');
  const made = await network.run('snapshot', 'create', '--config', network.node('validator-1').configFile, '--json');
  expect(made.exit, made.err).toBe(0);
  const within = ['snapshots', String((made.json() as { readonly height: number }).height)];
  const [first, second] = ['validator-1', 'validator-2'].map((name) => network.node(name).dataDirectory);
  await cp(join(first ?? '', ...within), join(second ?? '', ...within), { recursive: true });
  await network.startNodes(['validator-1']);
  const random = new Random(SEED);
  for (const observer of network.names('observer')) {
    for (let kill = 0; kill < KILLS; kill++) {
      const life = new NodeProcess(network.node(observer));
      await delay(random.below(LONGEST_LIFE_MS));
      life.kill();
      await life.ended;
    }
    await network.startNodes([observer]);
    await network.caughtUp(observer);
    expect(network.log(observer)).toContain('begins at the height of the snapshot');
  }
  await load.finish();
  await network.level(network.names(), load.highestAcknowledged());
});
