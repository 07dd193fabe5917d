/**
 * Rebuilding projections from the block log: every block is executed again, its changes fill a new generation of rows
 * beside the one that serves, the two are compared byte for byte, and the pointer moves to the new one.
 */
import { equalBytes, toHex } from '../base/bytes.ts';
import { codedError, unwrap } from '../base/result.ts';
import type { SealedBlock } from '../ledger/block.ts';
import type { BlockLog } from '../ledger/block-log.ts';
import type { Replay, ReplayedBlock } from '../ledger/replay.ts';
import type { Store, StoreOperation } from '../store/store.ts';
import type { Projection } from './projection.ts';
import { PendingRows, pointerOps, readPointer, Rows, rowWriter, type Pointer } from './rows.ts';

export interface RebuildOptions {
  /** Nothing else writes to it meanwhile. */
  readonly store: Store;
  readonly log: BlockLog;
  /** At genesis. It decides what is verified on the way. */
  readonly replay: Replay;
  /** All of the log from height 1 on, read by a caller who verifies more than that. */
  readonly blocks?: AsyncIterable<SealedBlock>;
  readonly projections: readonly Projection[];
  /** Called with each batch. */
  readonly onProgress?: (progress: RebuildProgress) => void;
}

export interface RebuildProgress {
  readonly height: number;
  readonly headHeight: number;
  readonly events: number;
}

export interface RebuiltProjection {
  readonly name: string;
  readonly rows: number;
  /**
   * How the rows that served compare with the rebuilt ones: `equal` byte for byte, `different` (and from now on
   * replaced), or `none` to compare with: of another version, or not at the head.
   */
  readonly before: 'equal' | 'different' | 'none';
  /** Key of the first row that differs, in hex. */
  readonly firstDifference: string | null;
}

/** Events that share a batch. */
const EVENTS_PER_BATCH = 2000;

interface Build {
  readonly projection: Projection;
  readonly pointer: Pointer | undefined;
  readonly rows: Rows;
  readonly pending: PendingRows;
}

/**
 * @throws CodedError of the replay's refusal: the log itself is not what it claims, and no pointer was moved;
 *   `store-corrupt` where a block is missing
 */
export async function rebuildProjections(options: RebuildOptions): Promise<readonly RebuiltProjection[]> {
  const { store, replay } = options;
  const builds = options.projections.map((projection) => begin(store, projection));
  for (const { rows } of builds) await rows.remove(rowWriter(store));
  await fill(options, builds);
  const results: RebuiltProjection[] = [];
  for (const build of builds) results.push(await finish(store, build, replay.head.height));
  return results;
}

function begin(store: Store, projection: Projection): Build {
  const pointer = readPointer(store, projection.name);
  const rows = new Rows(store, projection.name, pointer === undefined ? 0 : pointer.generation + 1);
  return { projection, pointer, rows, pending: new PendingRows(rows) };
}

async function fill(options: RebuildOptions, builds: readonly Build[]): Promise<void> {
  const { log, onProgress, replay, store } = options;
  const headHeight = log.head().height;
  let events = 0;
  let eventsInBatch = 0;
  // One batch is written while the next is gathered.
  let writing = Promise.resolve();
  apply(builds, replay.first);
  try {
    for await (const sealed of options.blocks ?? blocksOf(log)) {
      const { height } = sealed.block.header;
      const replayed = unwrap(replay.step(sealed));
      apply(builds, replayed);
      events += replayed.block.events.length;
      eventsInBatch += 1 + replayed.block.events.length;
      if (eventsInBatch < EVENTS_PER_BATCH) continue;
      eventsInBatch = 0;
      await writing;
      writing = write(store, builds, height);
      // Its failure is seen where it is awaited, which is later.
      void writing.catch(() => undefined);
      onProgress?.({ height, headHeight, events });
    }
  } finally {
    await writing;
  }
  await write(store, builds, headHeight);
  onProgress?.({ height: headHeight, headHeight, events });
}

/** From height 1 to the head. @throws CodedError `store-corrupt` where one is missing or damaged */
export function* blocksOf(log: BlockLog): Generator<SealedBlock, void> {
  const headHeight = log.head().height;
  for (let height = 1; height <= headHeight; height++) {
    const sealed = log.sealedBlockAt(height);
    if (sealed === undefined) throw codedError('store-corrupt', 'a block is missing from the log', { height });
    yield sealed;
  }
}

function apply(builds: readonly Build[], { block, changes }: ReplayedBlock): void {
  const { events, header } = block;
  for (const { pending, projection } of builds) pending.add(projection.apply({ header, events, changes }, pending));
}

async function write(store: Store, builds: readonly Build[], height: number): Promise<void> {
  const operations: StoreOperation[] = builds.flatMap(({ pending, rows }) => rows.writeOps(pending.take(), height));
  await store.batch(operations, { sync: false });
}

/** Compares with what served, moves the pointer, and removes what served. */
async function finish(store: Store, build: Build, height: number): Promise<RebuiltProjection> {
  const { pointer, projection, rows } = build;
  const { name, version } = projection;
  const served = pointer === undefined ? undefined : new Rows(store, name, pointer.generation);
  const comparable = pointer?.version === version && served?.cursor() === height ? served : undefined;
  const compared = await compareRows(rows, comparable);
  await store.batch(pointerOps(name, { version, generation: rows.generation }), { sync: true });
  await served?.remove(rowWriter(store));
  const before = comparable === undefined ? 'none' : compared.firstDifference === null ? 'equal' : 'different';
  return { name, before, ...compared };
}

async function compareRows(
  rebuilt: Rows,
  served: Rows | undefined,
): Promise<Pick<RebuiltProjection, 'firstDifference' | 'rows'>> {
  const other = served?.entries({})[Symbol.asyncIterator]();
  let rows = 0;
  let firstDifference: string | null = null;
  for await (const [key, value] of rebuilt.entries({})) {
    rows++;
    if (other === undefined || firstDifference !== null) continue;
    const next = await other.next();
    const isSame = next.done !== true && equalBytes(next.value[0], key) && equalBytes(next.value[1], value);
    if (!isSame) firstDifference = toHex(key);
  }
  if (other !== undefined && firstDifference === null) {
    const next = await other.next();
    if (next.done !== true) firstDifference = toHex(next.value[0]);
  }
  await other?.return?.();
  return { rows, firstDifference };
}
