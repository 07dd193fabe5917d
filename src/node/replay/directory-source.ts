/** A ledger in a data directory that no node has open. */
import { codedError } from '../../base/result.ts';
import { blockKey, fromBigEndian } from '../../ledger/layout.ts';
import type { LevelStore } from '../../store/level-store.ts';
import type { Projection, RowOperation } from '../../projections/projection.ts';
import { rowKeyFromBytes } from '../../projections/row-key.ts';
import { pointerOps, readPointer, Rows, rowWriter } from '../../projections/rows.ts';
import type { Store, StoreOperation } from '../../store/store.ts';
import { firstHeightIn, ledgerFacts, type LedgerSource } from './source.ts';

const ROWS_PER_BATCH = 1000;

/** @param store is closed with it */
export function directorySource(store: LevelStore): LedgerSource {
  return {
    kind: 'directory',
    facts: () => ledgerFacts(store),
    blocks: (from, to) => blocksIn(store, from, to),
    pin: async () => {
      const view = store.pin();
      return { ...view, facts: await ledgerFacts(view) };
    },
    replaceRows: (projection, rebuilt) => replaceRows(store, projection, rebuilt),
    close: () => store.close(),
  };
}

/** A process that is killed on the way leaves rows that nothing points to, which the next one overwrites. */
async function replaceRows(store: LevelStore, { name, version }: Projection, rebuilt: Rows): Promise<boolean> {
  const pointer = readPointer(store, name);
  const served = new Rows(store, name, pointer?.generation ?? 0);
  const next = new Rows(store, name, pointer === undefined ? 0 : pointer.generation + 1);
  await next.remove(rowWriter(store));
  const cursor = rebuilt.cursor();
  let operations: RowOperation[] = [];
  const write = async (sync: boolean, more: readonly StoreOperation[] = []): Promise<void> => {
    await store.batch([...next.writeOps(operations, cursor), ...more], { sync });
    operations = [];
  };
  for await (const [key, value] of rebuilt.entries({})) {
    operations.push({ kind: 'put', key: rowKeyFromBytes(key), value });
    if (operations.length === ROWS_PER_BATCH) await write(false);
  }
  await write(true, pointerOps(name, { version, generation: next.generation }));
  if (pointer !== undefined) await served.remove(rowWriter(store));
  return true;
}

/** @throws CodedError `blocks-pruned`: the log begins above; `store-corrupt` where one is missing otherwise */
export async function* blocksIn(
  store: Pick<Store, 'entries'>,
  from: number,
  to: number,
): AsyncGenerator<Uint8Array, void> {
  let height = from;
  for await (const [key, sealed] of store.entries({ gte: blockKey(from), lte: blockKey(to) })) {
    if (fromBigEndian(key.subarray(1)) !== height) break;
    yield sealed;
    height++;
  }
  if (height > to) return;
  const oldest = await firstHeightIn(store);
  if (oldest !== null && oldest > height) {
    throw codedError('blocks-pruned', 'the block was dropped: the log begins above it', { fromHeight: height, oldest });
  }
  throw codedError('store-corrupt', 'a block is missing from the log', { height });
}
