import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ZERO_HASH } from '../../src/base/hash.ts';
import { refuse } from '../../src/base/result.ts';
import { startControl } from '../../src/node/control.ts';
import type { ComponentHealth, NodeStatus } from '../../src/node/status.ts';
import { temporaryDirectory } from '../node/directory.ts';
import { run } from './terminal.ts';

const STATUS: NodeStatus = {
  engine: 'hotstuff',
  epoch: 0,
  round: 12,
  height: 7,
  headId: ZERO_HASH,
  stateRoot: ZERO_HASH,
  highCertificateRound: 11,
  lockedRound: 10,
  lastVotedRound: 11,
  uncommittedBlocks: 1,
  mempoolEvents: 2,
  idle: false,
  leader: 3,
  silentBecause: null,
  chainId: 'test-00',
  role: 'validator',
  peerId: '12D3KooWRgM45AGb4oFi8xiCM1xKEi1V7dyEwNes4yd8oRBe4h8L',
  index: 2,
  version: '0.1.0',
  upSeconds: 3,
  peers: 4,
  listenAddrs: ['/ip4/127.0.0.1/tcp/4001'],
  commits: 7,
  eventsCommitted: 9,
  rssBytes: 140_000_000,
  cpuMs: 61_000,
  projections: [{ name: 'node-data', height: 7 }],
  components: [{ name: 'store', healthy: true, detail: 'open' }],
};

async function running(components: readonly ComponentHealth[]): Promise<string> {
  const directory = await temporaryDirectory();
  const close = await startControl({
    socket: join(directory, 'control.sock'),
    node: {
      listenAddrs: [],
      status: () => ({ ...STATUS, components }),
      read: () => Promise.resolve(refuse('busy', 'later')),
      onCommit: () => () => undefined,
      stop: () => Promise.resolve(),
      failed: new Promise<never>(() => undefined),
    },
    stop: () => undefined,
  });
  onTestFinished(close);
  return directory;
}

describe('status', () => {
  test('prints facts for people, and the whole status as JSON', async () => {
    const directory = await running(STATUS.components);
    const told = await run(['status', '--data', '.'], directory);
    expect(told.exit).toBe(0);
    expect(told.out).toMatch(/^role +validator 2$/m);
    expect(told.out).toMatch(/^engine +hotstuff, epoch 0, round 12$/m);
    expect(told.out).toMatch(/^memory +140 MB$/m);
    expect(told.out).toMatch(/^processor time +61.0 s$/m);
    expect((await run(['status', '--data', '.', '--json'], directory)).json()).toEqual(STATUS);
  });

  test('exits with 1 when a component is not healthy, and JSON stays one object', async () => {
    const directory = await running([{ name: 'network', healthy: false, detail: 'no connection' }]);
    const told = await run(['status', '--data', '.'], directory);
    expect([told.exit, told.err]).toEqual([1, 'hotledger: error unhealthy: network: no connection']);
    const { exit, json } = await run(['status', '--data', '.', '--json'], directory);
    expect([exit, json()]).toMatchObject([1, { components: [{ healthy: false }] }]);
  });
});
