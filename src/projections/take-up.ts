/** Where each projection stands when the node starts: whether its rows go on, serve as they are, or are of no use. */
import type { BlockLog } from '../ledger/block-log.ts';
import type { Store } from '../store/store.ts';
import { readBuild } from './build-state.ts';
import type { Projection } from './projection.ts';
import { generationsOf, pointerOps, readPointer, Rows, rowWriter, type RowWriter } from './rows.ts';
import { ServedRows } from './served-rows.ts';
import type { Tidying } from './tidying.ts';

export interface TakenUpFrom {
  readonly store: Store;
  readonly log: BlockLog;
  /** Of the log's first block, which changed all of the state as it was then; 0 where it is not said. */
  readonly firstHeight?: number;
}

/** Rows that follow the log. */
export interface Track {
  readonly projection: Projection;
  readonly rows: Rows;
  /** The last height that is in them. */
  cursor: number;
}

export interface Follower {
  readonly projection: Projection;
  /** Null where there are none yet, or none that this program can read. */
  served: ServedRows | null;
  track: Track;
  state: 'following' | 'stale' | 'stopped';
}

/** The rows that serve now, or new ones where the log still knows its first block's changes. */
export async function takeUp(
  { firstHeight = 0, log, store }: TakenUpFrom,
  projection: Projection,
  tidying: Tidying,
): Promise<Follower> {
  const { name, readableSince = 0, version } = projection;
  const pointer = readPointer(store, name);
  const rows = new Rows(store, name, pointer?.generation ?? 0);
  const written = rows.cursor();
  const cursor = written === -1 || pointer === undefined ? firstHeight - 1 : written;
  const isCurrent = pointer === undefined || pointer.version === version;
  const canFollow = cursor === log.head().height || log.changesAt(cursor + 1) !== undefined;
  const state = isCurrent && canFollow ? 'following' : 'stale';
  // A process may have ended with some of the first rows written.
  if (written === -1 && state === 'following') await rows.remove(rowWriter(store));
  if (pointer === undefined && state === 'following') {
    await store.batch(pointerOps(name, { version, generation: 0 }), { sync: false });
  }
  tidying.begin((write) => removeUnused(store, name, write));
  const isReadable = pointer === undefined ? state === 'following' : canRead(pointer.version, readableSince, version);
  const served = isReadable ? servedRows(rows, tidying) : null;
  return { projection, served, track: { projection, rows, cursor }, state };
}

function canRead(rowsVersion: number, readableSince: number, version: number): boolean {
  return rowsVersion >= readableSince && rowsVersion <= version;
}

export function servedRows(rows: Rows, tidying: Tidying): ServedRows {
  return new ServedRows(rows, (old) => {
    tidying.begin((write) => old.remove(write));
  });
}

/** Generations that neither serve nor are being made: a process was killed before it had removed them. */
async function removeUnused(store: Store, name: string, write: RowWriter): Promise<void> {
  for (const generation of await generationsOf(store, name)) {
    // Looked up now: a rebuild may have begun, or ended, since.
    const isServing = readPointer(store, name)?.generation === generation;
    const isPlanned = readBuild(store)?.plan.some((rows) => rows.name === name && rows.generation === generation);
    if (!isServing && isPlanned !== true) await new Rows(store, name, generation).remove(write);
  }
}
