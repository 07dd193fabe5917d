/** What an operator does with a network, command by command, each in a process of its own. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { ReadReport } from '../../src/node/read-report.ts';
import { CATALOG } from '../../src/projections/catalog.ts';
import { TestNetwork } from './harness.ts';

test('an operator starts a network, submits, reads from anyone, looks, stops and replays', async () => {
  const network = await TestNetwork.start();
  const observer = network.node('observer');
  const config = ['--config', observer.configFile];
  const genesis = ['--genesis', network.testnet.genesisFile];
  const key = ['--key', join(observer.directory, 'masa_oracle_key')];

  const joined = await network.run('submit', 'joined', ...key, ...config, '--node-version', 'v1', '--web', '--json');
  expect(joined).toMatchObject({ exit: 0 });
  const { seq } = joined.json() as { seq: number };

  // A light reader: the genesis file, one address, nothing else. From a validator, and from a peer that is none.
  for (const name of ['validator-3', 'observer']) {
    const from = network.target(name).multiaddrs?.[0] ?? '';
    const got = await network.run('get', observer.peerId, ...genesis, '--from', from, '--max-age', '1m', '--json');
    expect(got).toMatchObject({ exit: 0, err: '' });
    const report = got.json() as ReadReport;
    expect(report).toMatchObject({ verified: true, lastSeq: seq, servedBy: network.node(name).peerId });
    expect(report.node).toMatchObject({ peerId: observer.peerId, version: 'v1', isWebScraper: true, isActive: true });
    expect(report.signers.length).toBeGreaterThanOrEqual(3);
  }

  const never = network.node('validator-1').peerId;
  const absent = await network.run('get', never, ...config, '--json');
  expect(absent).toMatchObject({ exit: 0 });
  expect(absent.json()).toMatchObject({ verified: true, node: null });

  const early = await network.run('submit', 'heartbeat', ...key, ...config, '--json');
  expect(early).toMatchObject({ exit: 4 });
  expect(early.json()).toMatchObject({ error: { code: 'heartbeat-too-soon' } });

  const level = await network.level(network.names(), 1);
  const status = await network.run('status', ...config, '--json');
  expect(status.json()).toMatchObject({ role: 'observer', height: level.height, stateRoot: level.stateRoot });

  await network.stop(...network.names());
  const down = await network.run('get', observer.peerId, ...config, '--timeout', '2s', '--json');
  expect(down).toMatchObject({ exit: 5 });
  const replayed = await network.run('replay', ...config, '--compare', '--json');
  expect(replayed).toMatchObject({ exit: 0 });
  expect(replayed.json()).toMatchObject({
    height: level.height,
    stateRoot: level.stateRoot,
    compared: {
      state: { equal: true },
      projections: CATALOG.map(() => ({ outcome: 'equal' })),
    },
  });
});
