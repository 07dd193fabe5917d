/** A data directory whose old blocks were dropped behind a snapshot, as a node does it under a policy. */
import { BlockLog, committedBlockOps } from '../../src/ledger/block-log.ts';
import type { VerifiedEvent } from '../../src/ledger/verified-event.ts';
import { ledgerDirectory } from '../../src/node/open-ledger.ts';
import { prune } from '../../src/node/snapshot/pruning.ts';
import { SnapshotFolder } from '../../src/node/snapshot/snapshot-folder.ts';
import { CATALOG } from '../../src/projections/catalog.ts';
import { Projector } from '../../src/projections/projector.ts';
import { LevelStore } from '../../src/store/level-store.ts';
import type { SealedChain } from '../ledger/chain.ts';
import { START } from '../ledger/nodes.ts';
import { snapshotIn, testLedger, type TestLedger } from './snapshot/ledger.ts';

export interface PrunedOptions {
  /** Height of the snapshot. */
  readonly snapshot?: number;
  /** Blocks behind it, of one join each. */
  readonly behind?: number;
  /** Of the newest blocks, so many are wanted; none is dropped above the snapshot. */
  readonly keepBlocks?: number;
}

/**
 * Six blocks, a snapshot, three more; by default the log begins at the block of the snapshot.
 *
 * @param within a directory that outlives the test
 */
export async function prunedLedger(
  { behind = 3, keepBlocks = 1, snapshot = 6 }: PrunedOptions = {},
  within?: string,
): Promise<TestLedger> {
  const ledger = await testLedger(snapshot, within);
  await grow(ledger, []);
  await snapshotIn(ledger);
  await growBy(ledger, behind);
  await dropBlocks(ledger, keepBlocks);
  return ledger;
}

/** Blocks of one join each. */
export function growBy(ledger: Pick<TestLedger, 'chain' | 'config'>, blocks: number): Promise<void> {
  const { height } = ledger.chain.head.header;
  return grow(
    ledger,
    Array.from({ length: blocks }, (_, i) => (chain) => [chain.join(height + i + 1)]),
  );
}

/** Commits blocks, and has the projections follow. */
export async function grow(
  { chain, config }: Pick<TestLedger, 'chain' | 'config'>,
  blocks: readonly ((chain: SealedChain) => readonly VerifiedEvent[])[],
): Promise<void> {
  const store = await LevelStore.open(ledgerDirectory(config.dataDirectory));
  for (const events of blocks) {
    const { changes, sealed } = chain.commit(events(chain));
    await store.batch(committedBlockOps(sealed, changes), { sync: false });
  }
  const log = await BlockLog.open(store, { chainId: chain.chainId, validatorKey: null });
  const projector = await Projector.open({ store, log, projections: CATALOG, onStopped: () => undefined });
  await projector.caughtUp();
  await projector.close();
  await store.close();
}

/** As far as the newest snapshot. */
export async function dropBlocks(ledger: Pick<TestLedger, 'chain' | 'config'>, keepBlocks: number): Promise<void> {
  const { dataDirectory } = ledger.config;
  const [snapshotHeight = 0] = await SnapshotFolder.of(dataDirectory).heights();
  const store = await LevelStore.open(ledgerDirectory(dataDirectory));
  await prune({
    store,
    log: await BlockLog.open(store, { chainId: ledger.chain.chainId, validatorKey: null }),
    policy: { kind: 'keepBlocks', blocks: keepBlocks },
    snapshotHeight,
    projectedHeight: () => ledger.chain.head.header.height,
    nowSeconds: START,
    pause: () => Promise.resolve(),
  });
  await store.close();
}
