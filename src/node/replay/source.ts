/**
 * Where a replay reads the ledger from: a data directory that nobody has open (`directory-source.ts`), or a running node
 * (`node-source.ts`). Both give the bytes as they are on the disk.
 */
import { readIdentity, BlockLog } from '../../ledger/block-log.ts';
import { codedError } from '../../base/result.ts';
import { BLOCK_RANGE, fromBigEndian, HEAD_KEY, RAFT_LEDGER_KEY } from '../../ledger/layout.ts';
import type { Head } from '../../ledger/machine.ts';
import type { Projection } from '../../projections/projection.ts';
import type { Rows } from '../../projections/rows.ts';
import type { Store, StoreView } from '../../store/store.ts';

/** What a ledger is, at one moment. */
export interface LedgerFacts {
  readonly chainId: string;
  readonly consensus: 'hotstuff' | 'raft';
  /** Of the first block in the log. */
  readonly firstHeight: number;
  readonly head: Head;
}

/** A ledger as it was at one moment. `get` answers of pointers and cursors of projections only. */
export interface PinnedLedger extends StoreView {
  readonly facts: LedgerFacts;
}

export interface LedgerSource {
  readonly kind: 'directory' | 'running node';
  /** As it is now: the head of a running node moves on. */
  facts(): Promise<LedgerFacts>;
  /**
   * Encoded sealed blocks of consecutive heights.
   *
   * @param to inclusive; at most the height of a head that was told
   * @throws CodedError `blocks-pruned` where they were dropped, `store-corrupt` where one is missing
   */
  blocks(from: number, to: number): AsyncIterable<Uint8Array>;
  pin(): Promise<PinnedLedger>;
  /**
   * Puts rebuilt rows in place of those that serve, by one pointer: readers see all of the old ones or all of the new.
   *
   * @param rebuilt at the head
   * @returns whether they are in place now; a running node was asked to rebuild the projection and swap it by itself
   */
  replaceRows(projection: Projection, rebuilt: Rows): Promise<boolean>;
  close(): Promise<void>;
}

/** @throws CodedError `before-base`, and those of `readIdentity` */
export async function ledgerFacts(store: Pick<Store, 'entries' | 'get'>): Promise<LedgerFacts> {
  const identity = await readIdentity(store);
  const isRaft = store.get(RAFT_LEDGER_KEY) !== undefined;
  if (isRaft && store.get(HEAD_KEY) === undefined) throw codedError('before-base', 'this cluster has no blocks yet');
  const head = BlockLog.over(readOnly(store), identity).head();
  const firstHeight = (await firstHeightIn(store)) ?? head.height;
  return { chainId: identity.chainId, consensus: isRaft ? 'raft' : 'hotstuff', firstHeight, head };
}

/** Of the blocks in the log; null: there are none. */
export async function firstHeightIn(store: Pick<Store, 'entries'>): Promise<number | null> {
  for await (const [key] of store.entries({ ...BLOCK_RANGE, limit: 1 })) return fromBigEndian(key.subarray(1));
  return null;
}

/** For what takes a store, and only reads. */
export function readOnly(view: Pick<Store, 'entries' | 'get'>): Store {
  return {
    get: (key) => view.get(key),
    entries: (range) => view.entries(range),
    batch: () => Promise.reject(new TypeError('a view is only read')),
    close: () => Promise.resolve(),
  };
}
