/**
 * Projections of a log that begins with a state: nobody knows how it came to be, so all of it is what its first block
 * changed. It comes in parts, as it may be larger than the memory.
 */
import type { BlockHeader } from '../ledger/block.ts';
import type { StateChange } from '../ledger/state.ts';
import type { Store, StoreOperation } from '../store/store.ts';
import type { Projection } from './projection.ts';
import { PendingRows, pointerOps, readPointer, Rows } from './rows.ts';

/**
 * Fills rows of a generation that nothing points to, and points to them at the end, unsynced. A process that is killed
 * on the way leaves rows that the next run writes again.
 *
 * @param header of the first block; nobody proposed the state as a whole
 * @param parts of the state
 */
export async function projectState(
  store: Store,
  projections: readonly Projection[],
  header: BlockHeader,
  parts: AsyncIterable<readonly StateChange[]>,
): Promise<void> {
  const builds = projections.map((projection) => {
    const pointer = readPointer(store, projection.name);
    const rows = new Rows(store, projection.name, pointer === undefined ? 0 : pointer.generation + 1);
    return { projection, rows, pending: new PendingRows(rows) };
  });
  const write = (operations: readonly StoreOperation[]) => store.batch(operations, { sync: false });
  for (const { rows } of builds) await rows.remove(write);
  const asGenesis = { ...header, proposer: '' };
  for await (const changes of parts) {
    for (const { pending, projection } of builds) {
      pending.add(projection.apply({ header: asGenesis, events: [], changes }, pending));
    }
    const written = builds.flatMap(({ pending, rows }) => rows.writeOps(pending.take(), header.height));
    await write(written);
  }
  const pointers = builds.flatMap(({ projection: { name, version }, rows: { generation } }) =>
    pointerOps(name, { version, generation }),
  );
  await write(pointers);
}
