/** A new node on a network that runs under load: a snapshot from several servers, one of which lies, then the blocks, then it follows. */
import { expect, test } from 'vitest';
import { TestNetwork } from '../e2e/harness.ts';
import { acknowledgedMore, snapshotOf } from '../e2e/joining.ts';
import { Load } from '../e2e/load.ts';
import { altered, knowsFirst, strangeServer } from '../e2e/strange-servers.ts';

const NODES = 6;
const DEADLINE_MS = 240_000;

test(
  'a new node joins a network under load, whatever one server sends',
  async () => {
    const network = await TestNetwork.make();
    const validators = network.names('validator');
    await network.startNodes(validators);
    const load = new Load(network, NODES);
    await acknowledgedMore(load, 20);
    const height = await snapshotOf(network, 'validator-1', 'validator-2');
    await acknowledgedMore(load, 20);

    const liar = await strangeServer(network, 'validator-1', altered);
    await knowsFirst(network, 'observer', liar.addressFile);
    await network.startNodes(['observer']);
    await network.caughtUp('observer');
    const log = network.log('observer');
    expect(log).toContain('"code":"chunk-mismatch"');
    expect(log).toContain(liar.peerId);
    expect(log).toContain('begins at the height of the snapshot');
    const { commits, height: reached } = await network.status('observer');
    expect(commits).toBeLessThanOrEqual(reached - height);

    await load.finish();
    expect(load.refused).toEqual([]);
    await network.level([...validators, 'observer'], load.highestAcknowledged());
  },
  DEADLINE_MS,
);
