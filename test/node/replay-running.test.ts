/** A replay of a node that runs: over its control socket, while it commits. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { utf8 } from '../../src/base/bytes.ts';
import { BlockLog } from '../../src/ledger/block-log.ts';
import { STATE_RANGE, stateKey } from '../../src/ledger/layout.ts';
import { nodeKey } from '../../src/ledger/state.ts';
import { ControlClient } from '../../src/node/control-client.ts';
import { CATALOG } from '../../src/projections/catalog.ts';
import { startFakeNode } from '../cli/fake-node.ts';
import { run } from '../cli/terminal.ts';
import { peerOf } from '../ledger/nodes.ts';
import { entriesOf } from '../store/contract.ts';
import { ledgerIn } from './ledger-directory.ts';
import { prunedLedger } from './pruned-ledger.ts';
import { replayOf } from './replaying.ts';
import { runningNode } from './running-node.ts';

const MANY = 3000;

const from = (first: number, count: number) => Array.from({ length: count }, (_, i) => first + i);

test('a running node is replayed while it commits, and compared as it is at one moment', async () => {
  const node = await runningNode(await ledgerIn());
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

test('a running node that dropped its old blocks is replayed from its snapshot', async () => {
  const { chain, commit, config, store } = await runningNode(await prunedLedger());
  await commit([40, 41]);
  expect(await replayOf(config)).toMatchObject({
    source: 'running node',
    from: { kind: 'snapshot', height: 6 },
    height: 10,
    compared: { state: { equal: true }, projections: [{ name: 'node-data', outcome: 'equal' }, {}, {}, {}] },
  });
  const key = nodeKey(peerOf(40));
  await store.batch([{ kind: 'put', key: stateKey(key), value: utf8('other') }], { sync: false });
  expect((await replayOf(config)).compared?.state.firstDifference).toMatchObject({ key });
  expect(chain.head.header.height).toBe(10);
});

test('the command reads the running node of a directory, and finds what is not what the log gives', async () => {
  const { directory, rebuilt, store } = await runningNode(await ledgerIn());
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
  const { client, commit, store } = await runningNode(await ledgerIn());
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
  const { client } = await runningNode(await ledgerIn(), 1);
  const { view } = await client.openLedgerView();
  await expect.poll(() => client.ledgerRows(view, STATE_RANGE).then(() => 'open', codeOf)).toBe('view-unknown');
  const patient = await runningNode(await ledgerIn());
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
