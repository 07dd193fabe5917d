import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { unwrap } from '../../../src/base/result.ts';
import { BlockLog, committedBlockOps } from '../../../src/ledger/block-log.ts';
import { blockKey } from '../../../src/ledger/layout.ts';
import { trustGenesis } from '../../../src/ledger/trusted-chain.ts';
import { verifyRead } from '../../../src/ledger/verified-read.ts';
import { ledgerDirectory } from '../../../src/node/open-ledger.ts';
import { firstStateOf, stateBefore } from '../../../src/node/projections/first-state.ts';
import { StoppedLedger } from '../../../src/node/projections/stopped-ledger.ts';
import { SnapshotFolder } from '../../../src/node/snapshot/snapshot-folder.ts';
import { buildRows } from '../../../src/projections/build.ts';
import { CATALOG } from '../../../src/projections/catalog.ts';
import { historyOf } from '../../../src/projections/node-history.ts';
import { Rows, rowWriter } from '../../../src/projections/rows.ts';
import { totalsOf } from '../../../src/projections/statistics.ts';
import { nativeScheme } from '../../../src/qc/scheme-native.ts';
import { LevelStore } from '../../../src/store/level-store.ts';
import { peerOf } from '../../ledger/nodes.ts';
import { prunedLedger } from '../pruned-ledger.ts';
import { snapshotIn, testLedger, type TestLedger } from '../snapshot/ledger.ts';

/** Six blocks, a snapshot, three more blocks; the blocks before the snapshot are gone. */
async function pruned(): Promise<TestLedger & { readonly data: string }> {
  const ledger = await testLedger(6);
  await snapshotIn(ledger);
  const { chain, config } = ledger;
  const store = await LevelStore.open(ledgerDirectory(config.dataDirectory));
  for (let node = 7; node <= 9; node++) {
    const { changes, sealed } = chain.commit([chain.join(node)]);
    await store.batch(committedBlockOps(sealed, changes), { sync: false });
  }
  const gone = Array.from({ length: 6 }, (_, height) => ({ kind: 'delete' as const, key: blockKey(height) }));
  await store.batch(gone, { sync: false });
  await store.close();
  return { ...ledger, data: config.dataDirectory };
}

test('a pruned log serves the heights behind its snapshot, and says which', async () => {
  const { chain, config } = await pruned();
  const stopped = await StoppedLedger.open(config);
  const trusted = unwrap(trustGenesis(chain.genesis, nativeScheme));
  for (const height of [8, 6, 9]) {
    for (const node of [2, 7, 9]) {
      const answer = unwrap(await stopped.at(peerOf(node), height));
      const options = { scheme: nativeScheme, peerId: peerOf(node), nowMs: Date.now() };
      const read = unwrap(verifyRead(answer, trusted, options));
      expect([read.height, read.record !== null]).toEqual([height, node <= height]);
    }
  }
  expect(await stopped.at(peerOf(2), 5)).toMatchObject({
    refusal: { code: 'blocks-pruned', details: { fromHeight: 5, oldest: 6, head: 9 } },
  });
  await stopped.close();
});

test('a damaged snapshot is passed over, and where the log begins with it nothing is answered', async () => {
  const { chain, config, data } = await pruned();
  const folder = SnapshotFolder.of(data);
  const chunk = (await folder.chunk(6, 0)) as Uint8Array;
  chunk[chunk.length >> 1] = (chunk[chunk.length >> 1] as number) ^ 1;
  await writeFile(join(folder.pathOf(6), 'chunk-00000'), chunk);
  const stopped = await StoppedLedger.open(config);
  await expect(stopped.at(peerOf(2), 8)).rejects.toMatchObject({ code: 'replay-from-snapshot' });
  await stopped.close();
  expect(chain.head.header.height).toBe(9);
});

test('projections of a pruned log are rebuilt from its snapshot: their history begins there', async () => {
  const { chain, data } = await pruned();
  const store = await LevelStore.open(ledgerDirectory(data));
  const log = BlockLog.over(store, { chainId: chain.chainId, validatorKey: null });
  const from = { store, log, genesis: chain.genesis, dataDirectory: data };
  expect((await stateBefore(from, 8)).block.header.height).toBe(6);
  const height = await buildRows({
    store,
    log,
    write: rowWriter(store),
    first: await firstStateOf(from),
    validatorsOf: () => chain.validators,
    plan: CATALOG.map(({ name, version }) => ({ name, version, generation: 3 })),
    catalog: CATALOG,
    control: {
      pause: () => Promise.resolve(),
      onProgress: () => undefined,
      finishAt: () => 9,
      isStopped: () => false,
    },
  });
  expect(height).toBe(9);
  const histories = new Rows(store, 'node-history', 3);
  const kindsOf = async (node: number) =>
    (await historyOf(histories, peerOf(node), { limit: 10 })).entries.map(({ fact, height: at }) => [at, fact.kind]);
  expect(await kindsOf(2)).toEqual([[6, 'carried']]);
  expect(await kindsOf(7)).toEqual([[7, 'joined']]);
  const { blocks, events, nodes } = totalsOf(new Rows(store, 'statistics', 3));
  expect([blocks, events, nodes.records]).toEqual([4, 3, 9]);
  await store.close();
});

test('a log that was dropped less far than its snapshot is executed from the snapshot on', async () => {
  const { chain, config } = await prunedLedger({ keepBlocks: 6 });
  const { dataDirectory } = config;
  const store = await LevelStore.open(ledgerDirectory(dataDirectory));
  const log = BlockLog.over(store, { chainId: chain.chainId, validatorKey: null });
  expect(log.floor()).toBe(4);
  const from = { store, log, genesis: chain.genesis, dataDirectory };
  expect((await firstStateOf(from)).block.header.height).toBe(6);
  await store.close();
  const stopped = await StoppedLedger.open(config);
  expect((await stopped.at(peerOf(2), 7)).ok).toBe(true);
  await expect(stopped.at(peerOf(2), 5)).rejects.toMatchObject({
    code: 'blocks-pruned',
    details: { fromHeight: 5, oldest: 6 },
  });
  await stopped.close();
});
