import { cp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import type { NodeConfig } from '../../../src/node/config.ts';
import type { JoinFirstOptions } from '../../../src/node/joining/join-first.ts';
import { ledgerDirectory } from '../../../src/node/open-ledger.ts';
import type { RunningNode } from '../../../src/node/status.ts';
import { eventually } from '../../eventually.ts';
import { codeOf } from '../../net/network.ts';
import { smallNetwork, started, submitJoins, takeSnapshot, type SmallNetwork } from './network.ts';

/** Real processes' work in this one, on machines that may be busy with much else. */
const DEADLINE_MS = 120_000;

let network: SmallNetwork;
let validator: RunningNode;
let snapshotHeight: number;

/** A validator with a snapshot, and with blocks behind it. */
beforeAll(async () => {
  network = await smallNetwork(8);
  const config = configOf('validator-1');
  const before = await started(config);
  await submitJoins(before, network.chainId, 30);
  await before.stop();
  snapshotHeight = (await takeSnapshot(config)).height;
  validator = await started(config);
  await submitJoins(validator, network.chainId, 5);
}, DEADLINE_MS);

afterAll(async () => {
  await validator.stop();
  await rm(network.directory, { recursive: true, force: true });
}, DEADLINE_MS);

function configOf(name: string): NodeConfig {
  return network.configs.get(name) as NodeConfig;
}

async function running(config: NodeConfig, options?: JoinFirstOptions): Promise<RunningNode> {
  const node = await started(config, options);
  onTestFinished(() => node.stop());
  return node;
}

function follows(node: RunningNode): Promise<true> {
  return eventually('it has what the validator has', () => {
    const [own, others] = [node.status(), validator.status()];
    return (own.height === others.height && own.stateRoot === others.stateRoot) || undefined;
  });
}

/** As many, and no more: they are counted a moment after the engine has them. */
async function tookBlocks(node: RunningNode, count: number): Promise<void> {
  await eventually(`it took ${count} blocks`, () => node.status().commits >= count || undefined);
  expect(node.status().commits).toBe(count);
}

const isWhole = async ({ dataDirectory }: NodeConfig): Promise<boolean> => {
  const names = await readdir(dataDirectory);
  return names.includes('ledger') && names.includes('snapshots') && !names.includes('joining');
};

test(
  'a node with an empty directory takes a snapshot, then the blocks behind it, and follows',
  async () => {
    const phases: (string | undefined)[] = [];
    const tell = (node: RunningNode) => void phases.push(node.status().joining?.phase);
    const observer = await running(configOf('observer-1'), {
      onJoining: (node) => {
        tell(node);
        return Promise.resolve(() => Promise.resolve(tell(node)));
      },
    });
    expect(phases).toEqual(['asking', 'ended']);
    await follows(observer);
    await submitJoins(validator, network.chainId, 3);
    await follows(observer);
    await tookBlocks(observer, observer.status().height - snapshotHeight);
    expect(observer.status().joining).toBeUndefined();
    await eventually('its projections are at the head', () => {
      const projections = observer.status().components.find(({ name }) => name === 'projections');
      return projections?.detail === 'at the head' || undefined;
    });
    await observer.stop();
    const onJoining = () => Promise.reject(new Error('it has a ledger, and does not join again'));
    // A damaged ledger is one, too.
    const current = join(ledgerDirectory(configOf('observer-1').dataDirectory), 'CURRENT');
    await rename(current, `${current}.away`);
    expect(await codeOf(started(configOf('observer-1'), { onJoining }))).toBe('store-corrupt');
    await rename(`${current}.away`, current);
    await follows(await running(configOf('observer-1'), { onJoining }));
  },
  DEADLINE_MS,
);

test(
  'a node that joined serves the snapshot that it joined from',
  async () => {
    const first = await running(configOf('observer-2'));
    await follows(first);
    // The second knows nobody but the first.
    const addressFiles = [configOf('observer-2').addressFile];
    await running({ ...configOf('observer-3'), addressFiles });
    expect(await isWhole(configOf('observer-3'))).toBe(true);
    expect(await readdir(join(configOf('observer-3').dataDirectory, 'snapshots'))).toEqual([String(snapshotHeight)]);
  },
  DEADLINE_MS,
);

test(
  'a join that is stopped goes on, and a chunk that the disk did not keep is fetched again',
  async () => {
    const config = configOf('observer-4');
    const { dataDirectory } = config;
    const stop = new AbortController();
    stop.abort();
    expect(await codeOf(started(config, { signal: stop.signal }))).toBe('join-stopped');
    await (await started(config)).stop();
    // As a kill leaves it between the last chunk and the ledger: all is kept, and the disk damaged some of it.
    const height = String(snapshotHeight);
    await rm(join(dataDirectory, 'ledger'), { recursive: true });
    await cp(join(dataDirectory, 'snapshots', height), join(dataDirectory, 'joining', height), { recursive: true });
    await rm(join(dataDirectory, 'snapshots'), { recursive: true });
    await writeFile(join(dataDirectory, 'joining', height, 'chunk-00000'), 'damaged');
    await follows(await running(config));
    expect(await isWhole(config)).toBe(true);
  },
  DEADLINE_MS,
);

test(
  'what a join left beside a ledger that is whole is cleared away',
  async () => {
    const config = configOf('observer-5');
    const { dataDirectory } = config;
    await (await started(config)).stop();
    const height = String(snapshotHeight);
    await cp(join(dataDirectory, 'snapshots', height), join(dataDirectory, 'joining', height), { recursive: true });
    await follows(await running(config));
    expect(await isWhole(config)).toBe(true);
  },
  DEADLINE_MS,
);

test(
  'a node that is to begin at genesis takes no snapshot, but every block',
  async () => {
    const observer = await running({ ...configOf('observer-6'), join: { from: 'genesis', waitSeconds: 10 } });
    await follows(observer);
    await tookBlocks(observer, observer.status().height);
  },
  DEADLINE_MS,
);

test(
  'a node that cannot go on with its ledger takes a snapshot in its place, also where it was stopped on the way',
  async () => {
    const config = configOf('observer-7');
    const lonely = await started({ ...config, addressFiles: [], join: { from: 'genesis', waitSeconds: 0 } });
    expect(lonely.status().height).toBe(0);
    await lonely.stop();
    const stop = new AbortController();
    stop.abort();
    expect(await codeOf(started(config, { signal: stop.signal, isBehind: true }))).toBe('join-stopped');
    expect(await readdir(config.dataDirectory)).toContain('rejoining');
    const reports: (number | null | undefined)[] = [];
    const node = await running(config, {
      onJoining: (joining) => {
        reports.push(joining.status().joining?.ownHeight);
        return Promise.resolve(() => Promise.resolve());
      },
    });
    expect(reports).toEqual([0]);
    await follows(node);
    expect(node.status().oldestBlock).toBe(snapshotHeight);
    expect((await readdir(config.dataDirectory)).filter((name) => name.startsWith('rejoin'))).toEqual([]);
    expect(await isWhole(config)).toBe(true);
  },
  DEADLINE_MS,
);

test(
  'a node that was told that it cannot go on does, where others have the blocks, or begins anew where its ledger is gone',
  async () => {
    const config = configOf('observer-8');
    const archive = await started({ ...config, join: { from: 'genesis', waitSeconds: 10 } });
    await follows(archive);
    await archive.stop();
    // Somebody has a later block, and nobody a snapshot that is newer than what it has.
    await submitJoins(validator, network.chainId, 1);
    const same = await started(config, { isBehind: true });
    expect(same.status().oldestBlock).toBe(0);
    await follows(same);
    await same.stop();
    const stop = new AbortController();
    stop.abort();
    expect(await codeOf(started(config, { signal: stop.signal, isBehind: true }))).toBe('join-stopped');
    await rm(join(config.dataDirectory, 'ledger'), { recursive: true });
    const anew = await running(config);
    expect(anew.status().oldestBlock).toBe(snapshotHeight);
    await follows(anew);
  },
  DEADLINE_MS,
);
