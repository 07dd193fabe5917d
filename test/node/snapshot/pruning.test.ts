import { describe, expect, onTestFinished, test } from 'vitest';
import { unwrap } from '../../../src/base/result.ts';
import { BlockLog } from '../../../src/ledger/block-log.ts';
import { blockKey } from '../../../src/ledger/layout.ts';
import { blockSource } from '../../../src/node/block-source.ts';
import { ledgerDirectory } from '../../../src/node/open-ledger.ts';
import { prune, type PruningOptions, type PruningPolicy } from '../../../src/node/snapshot/pruning.ts';
import { answerSyncRequest, syncBlocksCodec, syncRequestCodec } from '../../../src/net/block-sync.ts';
import { LevelStore } from '../../../src/store/level-store.ts';
import { codeOf, START } from '../../ledger/nodes.ts';
import { testLedger, type TestLedger } from './ledger.ts';

const HEAD = 20;

async function opened(blocks = HEAD) {
  const ledger = await testLedger(blocks);
  const store = await LevelStore.open(ledgerDirectory(ledger.config.dataDirectory));
  onTestFinished(() => store.close());
  const log = await BlockLog.open(store, { chainId: ledger.chain.chainId, validatorKey: null });
  return { ledger, store, log };
}

const pruned = ({ log, store }: { log: BlockLog; store: LevelStore }, more: Partial<PruningOptions>) =>
  prune({
    store,
    log,
    policy: { kind: 'all' },
    snapshotHeight: HEAD,
    projectedHeight: () => HEAD,
    nowSeconds: START,
    pause: () => Promise.resolve(),
    ...more,
  });

const KEEP_5: PruningPolicy = { kind: 'keepBlocks', blocks: 5 };

function heldHeights(log: BlockLog, { chain }: TestLedger): number[] {
  const heights: number[] = [];
  for (let height = 0; height <= chain.head.header.height; height++) {
    const isThere = log.sealedBytesAt(height) !== undefined;
    // The block and its number come and go together.
    expect(log.heightOf(chain.sealedAt(height).block.id)).toBe(isThere ? height : undefined);
    if (isThere) heights.push(height);
  }
  return heights;
}

describe('dropping old blocks', () => {
  test('keeps all by the first policy, and the newest by the second', async () => {
    const place = await opened();
    expect(await pruned(place, {})).toBe(0);
    expect(place.log.floor()).toBe(0);
    expect(await pruned(place, { policy: KEEP_5 })).toBe(16);
    expect(place.log.floor()).toBe(16);
    expect(heldHeights(place.log, place.ledger)).toEqual([16, 17, 18, 19, 20]);
    expect(await pruned(place, { policy: KEEP_5 })).toBe(0);
  });

  test('keeps those of late by the third, and the head however old it is', async () => {
    const place = await opened();
    const policy: PruningPolicy = { kind: 'keepFor', seconds: 60 };
    expect(await pruned(place, { policy, nowSeconds: START + 60 })).toBe(0);
    expect(await pruned(place, { policy, nowSeconds: START + 61 })).toBe(HEAD);
    expect(heldHeights(place.log, place.ledger)).toEqual([HEAD]);
  });

  test('stops at the newest snapshot, and at what the projections have not seen', async () => {
    const place = await opened();
    expect(await pruned(place, { policy: KEEP_5, snapshotHeight: 7, projectedHeight: () => 3 })).toBe(3);
    expect(await pruned(place, { policy: KEEP_5, snapshotHeight: 7 })).toBe(4);
    expect(place.log.floor()).toBe(7);
    expect(await pruned(place, { policy: KEEP_5, projectedHeight: () => -1 })).toBe(0);
  });

  test('stops between two batches where a rebuild begins, and goes on when it is over', async () => {
    const place = await opened(300);
    const state = { isRebuilding: false };
    const projectedHeight = () => (state.isRebuilding ? -1 : 300);
    const options = { policy: KEEP_5, snapshotHeight: 300, projectedHeight };
    const begins = () => {
      state.isRebuilding = true;
      return Promise.resolve();
    };
    expect(await pruned(place, { ...options, pause: begins })).toBe(128);
    expect(place.log.floor()).toBe(128);
    expect(heldHeights(place.log, place.ledger)[0]).toBe(128);
    expect(await pruned(place, options)).toBe(0);
    state.isRebuilding = false;
    expect(await pruned(place, options)).toBe(168);
    expect(place.log.floor()).toBe(296);
  });

  test('leaves a whole log when it is interrupted, and goes on the next time', async () => {
    const place = await opened();
    const interrupted = pruned(place, { policy: KEEP_5, pause: () => Promise.reject(new Error('killed')) });
    await expect(interrupted).rejects.toThrow('killed');
    const floor = place.log.floor();
    expect(heldHeights(place.log, place.ledger)[0]).toBe(floor);
    const again = await BlockLog.open(place.store, { chainId: place.ledger.chain.chainId, validatorKey: null });
    expect(again.head().height).toBe(HEAD);
    await pruned(place, { policy: KEEP_5 });
    expect(heldHeights(place.log, place.ledger)).toEqual([16, 17, 18, 19, 20]);
  });
});

test('a node that dropped blocks says which it has when it is asked for others', async () => {
  const place = await opened();
  await pruned(place, { policy: KEEP_5 });
  const ask = (fromHeight: number) =>
    answerSyncRequest(blockSource(place.log, 0), syncRequestCodec.encode({ kind: 'sealed', fromHeight, maxBlocks: 9 }));
  expect(codeOf(ask(15))).toBe('blocks-pruned');
  expect(ask(1)).toMatchObject({ refusal: { details: { fromHeight: 1, oldest: 16, head: HEAD } } });
  expect(unwrap(syncBlocksCodec.decode(unwrap(ask(16))))).toHaveLength(5);
});

test('a log whose first block is missing is refused', async () => {
  const { ledger, log, store } = await opened();
  await pruned({ log, store }, { policy: KEEP_5 });
  await store.batch([{ kind: 'delete', key: blockKey(16) }], { sync: false });
  const identity = { chainId: ledger.chain.chainId, validatorKey: null };
  await expect(BlockLog.open(store, identity)).rejects.toMatchObject({ code: 'store-corrupt' });
});
