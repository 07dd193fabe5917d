import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { equalBytes } from '../../../src/base/bytes.ts';
import { unwrap } from '../../../src/base/result.ts';
import { formatGenesis } from '../../../src/ledger/genesis.ts';
import { nodeKey } from '../../../src/ledger/state.ts';
import { trustGenesis } from '../../../src/ledger/trusted-chain.ts';
import { verifyRead } from '../../../src/ledger/verified-read.ts';
import { NodeProjections } from '../../../src/node/projections/node-projections.ts';
import { packOperations, unpackOperations } from '../../../src/node/projections/packed-operations.ts';
import { PastThread } from '../../../src/node/projections/past-thread.ts';
import { rebuildInThread } from '../../../src/node/projections/rebuild-thread.ts';
import { CATALOG } from '../../../src/projections/catalog.ts';
import { peerIds, recordCount } from '../../../src/projections/node-data.ts';
import { nativeScheme } from '../../../src/qc/scheme-native.ts';
import { pointerOps } from '../../../src/projections/rows.ts';
import type { StoreOperation } from '../../../src/store/store.ts';
import { peerOf } from '../../ledger/nodes.ts';
import { SealedChain } from '../../ledger/chain.ts';
import { followingLedger, type FollowingLedger } from '../opened.ts';

const errors: unknown[] = [];

async function open({ directory, ledger }: FollowingLedger, chain: SealedChain): Promise<NodeProjections> {
  const genesisFile = join(directory, 'genesis.json');
  await writeFile(genesisFile, formatGenesis(chain.genesis));
  const { log, store } = ledger;
  const task = { dataDirectory: directory, genesisFile, identity: log.identity };
  const projections = await NodeProjections.open({
    store,
    log,
    projections: CATALOG,
    startRebuild: rebuildInThread(store, task),
    logger: { info: () => undefined, error: (facts: unknown) => void errors.push(facts) },
  });
  onTestFinished(() => projections.close());
  return projections;
}

async function rowsOf(projections: NodeProjections): Promise<readonly (readonly [Uint8Array, Uint8Array])[]> {
  const all: (readonly [Uint8Array, Uint8Array])[] = [];
  for (const { name } of CATALOG) {
    await projections.read(name, async (reader) => {
      for await (const row of reader.entries({})) all.push(row);
    });
  }
  return all;
}

test('a thread rebuilds projections in a store on disk, while blocks are committed and reads meet no error', async () => {
  const chain = new SealedChain();
  const following = await followingLedger(chain);
  const { ledger } = following;
  const first = await open(following, chain);
  first.begin();
  for (let node = 0; node < 40; node++) await following.commit([chain.join(node)]);
  await first.settled();
  await first.close();
  // As an older program left it.
  const olderRows = CATALOG.flatMap(({ name }) => pointerOps(name, { version: 0, generation: 0 }));
  await ledger.store.batch(olderRows, { sync: true });

  const projections = await open(following, chain);
  expect(projections.status().projections.every(({ state }) => state === 'stale')).toBe(true);
  projections.begin();
  let isDone = false;
  let reads = 0;
  const reading = (async () => {
    while (!isDone) {
      const { counted, listed } = await projections.read('node-data', async (reader) => {
        let counted = 0;
        for await (const _peerId of peerIds(reader)) counted++;
        return { counted, listed: recordCount(reader) };
      });
      // Rows that follow grow between the two; those of a generation that was replaced do not.
      expect(Math.abs(counted - listed)).toBeLessThanOrEqual(2);
      expect(listed).toBeGreaterThanOrEqual(40);
      reads++;
      await setImmediate();
    }
  })();
  for (let node = 40; node < 60; node++) {
    const { block, changes } = await following.commit([chain.join(node)]);
    projections.offer([{ header: block.header, events: block.events, changes }]);
  }
  await projections.settled();
  isDone = true;
  await reading;
  expect(reads).toBeGreaterThan(0);
  expect(errors).toEqual([]);
  expect(projections.status().projections.map(({ height, state }) => `${state} ${height}`)).toEqual(
    CATALOG.map(() => 'following 60'),
  );

  const grown = await rowsOf(projections);
  expect(projections.request([])).toMatchObject({ ok: true });
  await projections.settled();
  const rebuilt = await rowsOf(projections);
  expect(rebuilt).toHaveLength(grown.length);
  expect(rebuilt.every(([key, value], i) => equalBytes(key, grown[i]![0]) && equalBytes(value, grown[i]![1]))).toBe(
    true,
  );
}, 60_000);

test('a node that stops during a rebuild goes on with it at the next start', async () => {
  const chain = new SealedChain();
  const following = await followingLedger(chain);
  const projections = await open(following, chain);
  projections.begin();
  for (let node = 0; node < 10; node++) await following.commit([chain.join(node)]);
  await projections.settled();
  projections.request(['node-data']);
  await projections.close();
  expect(errors).toEqual([]);
  const again = await open(following, chain);
  again.begin();
  await again.settled();
  expect(recordCount(again.reader('node-data'))).toBe(10);
}, 60_000);

test('a thread answers about heights that are no longer in memory, and ends when nobody asks', async () => {
  const chain = new SealedChain();
  const following = await followingLedger(chain);
  for (let node = 0; node < 5; node++) await following.commit([chain.join(node)]);
  const genesisFile = join(following.directory, 'genesis.json');
  await writeFile(genesisFile, formatGenesis(chain.genesis));
  const { log } = following.ledger;
  const past = new PastThread({ dataDirectory: following.directory, genesisFile, identity: log.identity });
  onTestFinished(() => past.close());
  const trusted = unwrap(trustGenesis(chain.genesis, nativeScheme));
  for (const height of [2, 4, 1]) {
    const answers = await Promise.all([1, 3].map((node) => past.answer(height, nodeKey(peerOf(node)))));
    const reads = answers.map((answer, i) =>
      unwrap(
        verifyRead(unwrap(answer), trusted, { scheme: nativeScheme, peerId: peerOf([1, 3][i]!), nowMs: Date.now() }),
      ),
    );
    expect(reads.map((read) => [read.height, read.record !== null])).toEqual([
      [height, height >= 2],
      [height, height >= 4],
    ]);
  }
  expect(await past.answer(6, nodeKey(peerOf(1)))).toMatchObject({ refusal: { code: 'height-not-served' } });
  await past.reset();
  expect((await past.answer(5, nodeKey(peerOf(1)))).ok).toBe(true);
  await past.close();
  expect(await past.answer(5, nodeKey(peerOf(1)))).toMatchObject({ refusal: { code: 'busy' } });
}, 60_000);

test('operations cross from one thread to another as they were', () => {
  const operations: StoreOperation[] = [
    { kind: 'put', key: Uint8Array.of(1, 2), value: Uint8Array.of(3) },
    { kind: 'put', key: new Uint8Array(0), value: new Uint8Array(0) },
    { kind: 'delete', key: Uint8Array.of(9) },
  ];
  expect(unpackOperations(packOperations(operations))).toEqual(operations);
  expect(unpackOperations(packOperations([]))).toEqual([]);
  expect(() => unpackOperations(packOperations(operations).subarray(0, 11))).toThrow('packed operations are whole');
});
