/**
 * The replay of a validator under load, by the command, beside it and after it: first from the genesis, and once old blocks
 * were dropped from its snapshot on.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { LedgerReplayReport } from '../../src/node/replay.ts';
import { eventually } from '../eventually.ts';
import { flipped } from '../flipped.ts';
import { TestNetwork } from '../e2e/harness.ts';
import { Load } from '../e2e/load.ts';

const VALIDATOR = 'validator-1';
const KEEP_BLOCKS = 8;
const EQUAL = { state: { equal: true } };

test(
  'a validator under load is replayed and compared beside its work, from its snapshot when it dropped old blocks',
  { timeout: 5 * 60_000 },
  async () => {
    const network = await TestNetwork.start({
      validators: 1,
      observers: 0,
      // No other snapshot than the one that is asked for, however long it takes.
      settings: { pruning: { policy: 'keepBlocks', keepBlocks: KEEP_BLOCKS }, snapshots: { everyBlocks: 0 } },
    });
    const { configFile, dataDirectory } = network.node(VALIDATOR);
    const load = new Load(network, 6);
    const replay = async (): Promise<LedgerReplayReport> => {
      const ran = await network.run('replay', '--config', configFile, '--compare', '--json');
      expect(ran.exit, ran.err).toBe(0);
      return ran.json() as LedgerReplayReport;
    };
    await eventually('events were committed', () => load.acknowledged.length >= 30 || undefined);
    const before = load.acknowledged.length;
    const whole = await replay();
    expect(whole).toMatchObject({ source: 'running node', from: { kind: 'genesis', height: 0 }, compared: EQUAL });
    expect(whole.compared?.projections.map(({ outcome }) => outcome)).toEqual(['equal', 'equal', 'equal', 'equal']);
    expect(load.acknowledged.length).toBeGreaterThan(before);

    await eventually('more blocks than are kept', () => load.highestAcknowledged() > KEEP_BLOCKS || undefined);
    load.pause();
    const made = await network.run('snapshot', 'create', '--config', configFile, '--json');
    load.resume();
    expect(made.exit, made.err).toBe(0);
    const { height } = made.json() as { readonly height: number };
    const { oldestBlock } = await eventually('old blocks are dropped', async () => {
      const status = await network.status(VALIDATOR);
      return status.oldestBlock > 0 ? status : undefined;
    });
    expect(oldestBlock).toBeLessThanOrEqual(height);
    const beside = await replay();
    expect(beside).toMatchObject({ source: 'running node', from: { kind: 'snapshot', height }, compared: EQUAL });
    expect(beside.compared?.projections[0]).toMatchObject({ name: 'node-data', outcome: 'equal' });
    await load.finish();
    expect(load.refused).toEqual([]);

    await network.stop(VALIDATOR);
    const stopped = await replay();
    expect(stopped).toMatchObject({ source: 'directory', from: { kind: 'snapshot', height }, compared: EQUAL });
    expect(stopped.height).toBeGreaterThanOrEqual(beside.height);
    const verified = await network.run('verify', '--config', configFile, '--json');
    expect(verified.json()).toMatchObject({ findings: [], checked: { snapshots: 1 } });

    const chunk = join(dataDirectory, 'snapshots', String(height), 'chunk-00000');
    const bytes = new Uint8Array(await readFile(chunk));
    await writeFile(chunk, flipped(bytes, bytes.length >> 1));
    const refused = await network.run('replay', '--config', configFile, '--compare');
    expect(refused.exit).toBe(1);
    expect(refused.err).toMatch(/^hotledger: error chunk-/m);
  },
);
