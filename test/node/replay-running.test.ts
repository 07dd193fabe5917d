/** A replay of a node that runs: over its control socket, while it commits. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { utf8 } from '../../src/base/bytes.ts';
import { ok } from '../../src/base/result.ts';
import { BlockLog, committedBlockOps } from '../../src/ledger/block-log.ts';
import { STATE_RANGE } from '../../src/ledger/layout.ts';
import { startControl } from '../../src/node/control.ts';
import { ControlClient } from '../../src/node/control-client.ts';
import { LedgerViews } from '../../src/node/ledger-views.ts';
import { ledgerDirectory } from '../../src/node/open-ledger.ts';
import type { RunningNode } from '../../src/node/status.ts';
import { CATALOG } from '../../src/projections/catalog.ts';
import { Projector } from '../../src/projections/projector.ts';
import { LevelStore } from '../../src/store/level-store.ts';
import { startFakeNode } from '../cli/fake-node.ts';
import { NO_LEDGER } from '../cli/no-ledger.ts';
import { run } from '../cli/terminal.ts';
import { entriesOf } from '../store/contract.ts';
import { ledgerIn } from './ledger-directory.ts';
import { replayOf } from './replaying.ts';

const MANY = 3000;

/** A node that has its store open, answers its control socket, and commits when it is told to. */
async function runningNode(maxIdleMs?: number) {
  const { chain, config, directory } = await ledgerIn();
  const store = await LevelStore.open(ledgerDirectory(config.dataDirectory));
  const log = await BlockLog.open(store, { chainId: chain.chainId, validatorKey: null });
  const projector = await Projector.open({ store, log, projections: CATALOG, onStopped: () => undefined });
  const views = new LedgerViews(store, maxIdleMs);
  const socket = join(config.dataDirectory, 'control.sock');
  await mkdir(config.dataDirectory, { recursive: true });
  const rebuilt: string[] = [];
  const rebuild = (names: readonly string[]) => ok({ projections: [...names], told: rebuilt.push(...names) });
  const ledger = { ...NO_LEDGER, rebuild };
  const node = { raft: null, ledger, views, status: () => ({ components: [] }) } as unknown as RunningNode;
  const close = await startControl({ socket, node, stop: () => undefined });
  onTestFinished(async () => {
    await close();
    await projector.close();
    await views.closeAll();
    await store.close();
  });
  const commit = async (nodes: readonly number[]): Promise<void> => {
    const { changes, sealed } = chain.commit(nodes.map((each) => chain.join(each)));
    await store.batch(committedBlockOps(sealed, changes), { sync: false });
    projector.offer([{ header: sealed.block.header, events: sealed.block.events, changes }]);
    await projector.caughtUp();
  };
  return { chain, client: new ControlClient(socket), commit, config, directory, rebuilt, store };
}

const from = (first: number, count: number) => Array.from({ length: count }, (_, i) => first + i);

test('a running node is replayed while it commits, and compared as it is at one moment', async () => {
  const node = await runningNode();
  for (let block = 0; block < 3; block++) await node.commit(from(10 + (block * MANY) / 3, MANY / 3));
  let committed = 0;
  const report = await replayOf(node.config, {
    verifySeals: false,
    onProgress: () => {
      // The state changes while it is compared, and the head moves on.
      if (committed++ < 3) void node.commit([20_000 + committed]);
    },
  });
  expect(committed).toBeGreaterThan(1);
  expect(report).toMatchObject({
    source: 'running node',
    compared: {
      state: { equal: true },
      projections: CATALOG.map(() => ({ outcome: 'equal' })),
    },
  });
  expect(report.height).toBeGreaterThanOrEqual(6);
});

test('the command reads the running node of a directory, and finds what is not what the log gives', async () => {
  const { directory, rebuilt, store } = await runningNode();
  const argv = ['replay', '--data', 'data', '--verify', 'none', '--compare', '--json'];
  const equal = await run(argv, directory);
  expect(equal).toMatchObject({ exit: 0 });
  expect(equal.json()).toMatchObject({ source: 'running node', height: 3 });
  const [key] = (await entriesOf(store, STATE_RANGE)).at(-1) as readonly [Uint8Array, Uint8Array];
  await store.batch([{ kind: 'put', key, value: utf8('other') }], { sync: false });
  expect(await run(argv, directory)).toMatchObject({ exit: 6 });
  const swap = await run(
    ['replay', '--data', 'data', '--verify', 'none', '--projection', 'validators', '--swap'],
    directory,
  );
  expect(swap.err).toContain('the node rebuilds validators beside what it serves');
  expect(rebuilt).toEqual(['validators']);
});

test('pages give a whole range in order, from the pinned moment', async () => {
  const { client, commit, store } = await runningNode();
  await commit(from(10, 2000));
  await commit(from(5000, 2000));
  const before = await entriesOf(store, STATE_RANGE);
  const { view, facts } = await client.openLedgerView();
  await commit(from(9000, 10));
  const rows: (readonly [Uint8Array, Uint8Array])[] = [];
  let pages = 0;
  for (;;) {
    const last = rows.at(-1);
    const page = await client.ledgerRows(view, last === undefined ? STATE_RANGE : { gt: last[0], lt: STATE_RANGE.lt });
    if (page.length === 0) break;
    rows.push(...page);
    pages++;
  }
  expect(pages).toBeGreaterThan(1);
  expect(rows).toEqual(before);
  expect(facts.head.height).toBe(5);
  expect((await client.ledgerFacts()).head.height).toBe(6);
  const blocks = await client.ledgerBlocks(4, 6);
  expect(blocks.length).toBeLessThan(3);
  expect(blocks[0]).toEqual(BlockLog.over(store, { chainId: '', validatorKey: null }).sealedBytesAt(4));
  await client.closeLedgerView(view);
  await client.closeLedgerView(view);
  await expect(client.ledgerRows(view, STATE_RANGE)).rejects.toMatchObject({ code: 'view-unknown' });
});

test('views are few, and one that nobody asks of is closed', async () => {
  const { client } = await runningNode(1);
  const { view } = await client.openLedgerView();
  await expect.poll(() => client.ledgerRows(view, STATE_RANGE).then(() => 'open', codeOf)).toBe('view-unknown');
  const patient = await runningNode();
  const opened = [await patient.client.openLedgerView(), await patient.client.openLedgerView()];
  await expect(patient.client.openLedgerView()).rejects.toMatchObject({ code: 'views-busy' });
  await patient.client.closeLedgerView(opened[0]?.view ?? 0);
  await patient.client.openLedgerView();
});

test('a node that cannot answer is told from one that does not run', async () => {
  const { directory } = await startFakeNode();
  await expect(new ControlClient(join(directory, 'control.sock')).ledgerFacts()).rejects.toMatchObject({
    code: 'control-failed',
  });
});

function codeOf(error: unknown): string {
  return (error as { code?: string }).code ?? String(error);
}
