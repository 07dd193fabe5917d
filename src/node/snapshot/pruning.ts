/**
 * Dropping blocks that the policy no longer wants, behind the newest snapshot: from there a replay begins. Each batch
 * deletes some blocks and moves the floor of the log past them, so that the log is whole above its floor whenever the
 * process ends. Proofs of epochs are no blocks, and stay.
 */
import type { BlockLog } from '../../ledger/block-log.ts';
import { floorOps } from '../../ledger/block-log.ts';
import { decodeSealedHeader, peekBlockId } from '../../ledger/block.ts';
import { blockKey, heightKey } from '../../ledger/layout.ts';
import type { PinnableStore, StoreOperation } from '../../store/store.ts';

export type PruningPolicy =
  | { readonly kind: 'all' }
  /** So many of the newest stay. */
  | { readonly kind: 'keepBlocks'; readonly blocks: number }
  /** Those whose time is at most so long ago stay. */
  | { readonly kind: 'keepFor'; readonly seconds: number };

export interface PruningOptions {
  readonly store: PinnableStore;
  readonly log: BlockLog;
  readonly policy: PruningPolicy;
  /** Of the newest snapshot. */
  readonly snapshotHeight: number;
  /**
   * Blocks above it are still wanted by the projections of this node. Asked before each batch: a rebuild that begins, or a
   * projection that stops, wants blocks that it did not want before.
   */
  readonly projectedHeight: () => number;
  readonly nowSeconds: number;
  /** Called between batches: others come first. @throws to end it */
  readonly pause: () => Promise<void>;
}

/** A batch is written while a round waits to write its own. */
const BLOCKS_PER_BATCH = 128;
/** Below this the disk is left to LevelDB's own compactions. */
const COMPACT_FROM_BLOCKS = 1024;

/** @returns how many blocks went */
export async function prune(options: PruningOptions): Promise<number> {
  const { log, pause, projectedHeight, store } = options;
  const from = log.floor();
  const to = prunedTo(options);
  let next = from;
  for (;;) {
    const end = Math.min(to, projectedHeight(), next + BLOCKS_PER_BATCH);
    if (end <= next) break;
    await store.batch(droppedOps(log, next, end), { sync: false });
    next = end;
    await pause();
  }
  if (next - from >= COMPACT_FROM_BLOCKS) await store.compact({ gte: blockKey(from), lt: blockKey(next) });
  return next - from;
}

/** Where the log is to begin, if the projections want nothing below. */
export function prunedTo(options: Pick<PruningOptions, 'log' | 'nowSeconds' | 'policy' | 'snapshotHeight'>): number {
  return Math.min(options.snapshotHeight, options.log.head().height, wantedFloor(options));
}

function wantedFloor({ log, nowSeconds, policy }: Pick<PruningOptions, 'log' | 'nowSeconds' | 'policy'>): number {
  const { height: head } = log.head();
  switch (policy.kind) {
    case 'all':
      return log.floor();
    case 'keepBlocks':
      return Math.max(0, head - policy.blocks + 1);
    case 'keepFor':
      return firstSince(log, nowSeconds - policy.seconds);
  }
}

/** Times do not fall from block to block. @returns the head where all are older */
function firstSince(log: BlockLog, seconds: number): number {
  let low = log.floor();
  let high = log.head().height;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (timeAt(log, middle) >= seconds) high = middle;
    else low = middle + 1;
  }
  return low;
}

function timeAt(log: BlockLog, height: number): number {
  const sealed = log.sealedBytesAt(height);
  const header = sealed === undefined ? undefined : decodeSealedHeader(log.chainId, sealed);
  // A block that is missing or damaged is not what decides that others go.
  return header?.ok === true ? header.value.header.timestamp : Number.POSITIVE_INFINITY;
}

function droppedOps(log: BlockLog, from: number, to: number): StoreOperation[] {
  const operations = floorOps(to);
  for (let height = from; height < to; height++) {
    const sealed = log.sealedBytesAt(height);
    const id = sealed === undefined ? undefined : peekBlockId(sealed);
    operations.push({ kind: 'delete', key: blockKey(height) });
    if (id !== undefined) operations.push({ kind: 'delete', key: heightKey(id) });
  }
  return operations;
}
