/**
 * New nodes on a network that runs under load: they take a snapshot from several servers, one of which lies, then the
 * blocks behind it, and follow. Also a validator that lost its disk, and a node that is given the snapshot as a file.
 */
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { eventually } from '../eventually.ts';
import { TestNetwork } from './harness.ts';
import { Load } from './load.ts';
import { altered, knowsFirst, strangeServer } from './strange-servers.ts';

const NODES = 6;
const DEADLINE_MS = 240_000;

test(
  'new nodes join a network under load, whatever one server sends; by a file too, and on a disk that was lost',
  async () => {
    const network = await TestNetwork.make({ observers: 2 });
    const validators = network.names('validator');
    await network.startNodes(validators);
    const load = new Load(network, NODES);
    const more = (count: number): Promise<true> => {
      const wanted = load.acknowledged.length + count;
      return eventually(`${count} more events are acknowledged`, () => load.acknowledged.length >= wanted || undefined);
    };
    await more(20);
    const height = await snapshotOf(network, 'validator-1', 'validator-2');
    await more(20);

    const liar = await strangeServer(network, 'validator-1', altered);
    await knowsFirst(network, 'observer-1', liar.addressFile);
    await network.startNodes(['observer-1']);
    await network.caughtUp('observer-1');
    const log = network.log('observer-1');
    expect(log).toContain('"code":"chunk-mismatch"');
    expect(log).toContain(liar.peerId);
    expect(log).toContain('begins at the height of the snapshot');
    const { commits, height: reached } = await network.status('observer-1');
    expect(commits).toBeLessThanOrEqual(reached - height);

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
    const restored = await network.run('snapshot', 'restore', '--config', configOf(network, 'observer-2'), file);
    expect(restored.exit, restored.err).toBe(0);
    await network.startNodes(['observer-2']);
    await network.caughtUp('observer-2');
    expect(network.log('observer-2')).not.toContain('joining');

    await load.finish();
    expect(load.refused).toEqual([]);
    await network.level([...validators, 'observer-1', 'observer-2'], load.highestAcknowledged());
  },
  DEADLINE_MS,
);

function configOf(network: TestNetwork, name: string): string {
  return network.node(name).configFile;
}

/** Of one that stops for it, and copied to another. @returns its height */
async function snapshotOf(network: TestNetwork, name: string, copyTo: string): Promise<number> {
  await network.stop(name);
  const made = await network.run('snapshot', 'create', '--config', configOf(network, name), '--json');
  expect(made.exit, made.err).toBe(0);
  await network.startNodes([name]);
  const { height } = made.json() as { readonly height: number };
  const within = ['snapshots', String(height)];
  await cp(join(network.node(name).dataDirectory, ...within), join(network.node(copyTo).dataDirectory, ...within), {
    recursive: true,
  });
  return height;
}
