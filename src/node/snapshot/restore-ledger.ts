/**
 * A ledger out of a snapshot, in a directory that has none. Every chunk is checked before anything of it is written, on
 * all cores, by the threads that write it. A process that is killed on the way leaves a store that no program takes for a
 * ledger, and that the same command goes on with.
 *
 *     1  the mark of a restoration, synced, into an empty store
 *     2  each chunk: its file; then its entries and its mark, in one batch; the files are synced beside that
 *     3  the manifest, and the folder gets its name
 *     4  the rows of projections, unless they are made later
 *     5  one synced batch: identity, floor, the block, and no mark any more
 *
 * Until 3 a power cut may leave a mark whose file is not on the disk: whoever goes on looks at the files of all marked
 * chunks, and writes what is not as it should be once more. The store loses only what was written last, in order.
 *
 * The snapshot stays in the directory: the log begins at its block, so a replay begins with it. A validator's safety
 * record is in no snapshot: docs/SAFETY.md says what that means for its vote.
 */
import { mkdir, open } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { codedError, unwrap } from '../../base/result.ts';
import { firstBlockOps, floorOps, identityOps, isEmpty, type LogIdentity } from '../../ledger/block-log.ts';
import type { Genesis } from '../../ledger/genesis.ts';
import { checkSchemaKnown } from '../../ledger/event-schema-at.ts';
import { restoredChunkKey, RESTORING_KEY, stateKey } from '../../ledger/layout.ts';
import { CATALOG } from '../../projections/catalog.ts';
import { projectState } from '../../projections/from-state.ts';
import { LevelStore } from '../../store/level-store.ts';
import type { Store, StoreOperation } from '../../store/store.ts';
import { ledgerDirectory } from '../open-ledger.ts';
import { throughChunks } from './chunk-threads.ts';
import { diskError } from './disk-error.ts';
import { FileSyncs } from './file-syncs.ts';
import {
  chunkTasks,
  chunkWork,
  factsOf,
  openSnapshot,
  type ChunkProgress,
  type OpenSnapshot,
  type SnapshotFacts,
} from './open-snapshot.ts';
import { readRestoring, restoredChunks, restoringOps, type RestoringRecord } from './restoring-record.ts';
import { chunkFile, MANIFEST_FILE, SnapshotFolder, syncFolder } from './snapshot-folder.ts';
import type { SnapshotSource } from './snapshot-source.ts';
import { stateInParts } from './state-parts.ts';

export interface RestoreOptions {
  readonly dataDirectory: string;
  readonly genesis: Genesis;
  /** As in the identity of a log. */
  readonly validatorKey: LogIdentity['validatorKey'];
  /** May be the snapshot in the very directory. */
  readonly source: SnapshotSource;
  readonly threads: number;
  /** `later`: the node that runs on it makes the rows of projections, beside what it has to do. Left out: now. */
  readonly rows?: 'now' | 'later';
  readonly onProgress: (progress: RestoreProgress) => void;
}

export interface RestoreProgress extends ChunkProgress {
  readonly phase: 'chunks' | 'projections';
}

export interface RestoredLedger extends SnapshotFacts {
  /** Chunks that an earlier run had put there. */
  readonly resumedChunks: number;
}

/**
 * @throws CodedError those of `openSnapshot` and of a chunk that does not hold; `store-not-empty` (there is a ledger),
 *   `restore-of-another` (a restoration of another snapshot is under way there), `snapshot-no-space`,
 *   `snapshot-write-failed`, `schema-not-known`, and those of the store
 */
export async function restoreLedger(options: RestoreOptions): Promise<RestoredLedger> {
  const { dataDirectory, genesis, source } = options;
  const snapshot = await openSnapshot(source, genesis);
  await mkdir(dataDirectory, { recursive: true, mode: 0o700 });
  const directory = ledgerDirectory(dataDirectory);
  const store = await LevelStore.open(directory, { create: true, threads: true });
  try {
    await begin(store, snapshot);
    const resumed = await restoreChunks(store, snapshot, options);
    // A newer program wrote records that this one could not read.
    unwrap(checkSchemaKnown({ get: (key) => store.get(stateKey(key)) }, snapshot.manifest.height));
    if (options.rows !== 'later') await makeRows(store, snapshot, options);
    await store.batch(lastOps(snapshot, options), { sync: true });
    return { ...factsOf(snapshot), resumedChunks: resumed };
  } catch (error) {
    throw diskError(error);
  } finally {
    await store.close();
  }
}

async function begin(store: Store, { manifest, sealed }: OpenSnapshot): Promise<void> {
  const wanted: RestoringRecord = { height: manifest.height, blockId: sealed.block.id, depth: manifest.depth };
  const underWay = readRestoring(store);
  if (underWay === undefined) {
    if (!(await isEmpty(store))) throw codedError('store-not-empty', 'the store already holds data');
    return store.batch(restoringOps(wanted), { sync: true });
  }
  if (underWay.blockId === wanted.blockId && underWay.depth === wanted.depth) return;
  throw codedError('restore-of-another', 'another snapshot is being restored in this directory', {
    height: underWay.height,
    wanted: wanted.height,
  });
}

/** @returns how many were there already */
async function restoreChunks(
  store: Store,
  snapshot: OpenSnapshot,
  { dataDirectory, onProgress, threads }: RestoreOptions,
): Promise<number> {
  const { height } = snapshot.manifest;
  const folder = SnapshotFolder.of(dataDirectory);
  const isThere = (await folder.heights()).includes(height);
  const part = await folder.resume(height);
  const copyTo = (index: number): string | null => (isThere ? null : join(part, chunkFile(index)));
  const kept = await restoredChunks(store);
  const tasks = chunkTasks(snapshot, (index) => ({ copyTo: copyTo(index), isMarked: kept.has(index) }));
  const left = isThere ? tasks.filter(({ isMarked }) => !isMarked) : tasks;
  const totalChunks = tasks.length;
  let chunks = totalChunks - left.length;
  onProgress({ phase: 'chunks', chunks, totalChunks });
  const syncs = new FileSyncs();
  try {
    await throughChunks(chunkWork(snapshot, ledgerDirectory(dataDirectory)), left, threads, ({ index }) => {
      const copy = copyTo(index);
      if (copy !== null) syncs.add(copy);
      onProgress({ phase: 'chunks', chunks: ++chunks, totalChunks });
    });
  } finally {
    await syncs.done();
  }
  if (isThere) await folder.giveUp(height);
  else await nameFolder(folder, height, part, snapshot.source.manifest);
  return kept.size;
}

async function nameFolder(folder: SnapshotFolder, height: number, part: string, manifest: Uint8Array): Promise<void> {
  const handle = await open(resolve(part, MANIFEST_FILE), 'w', 0o600);
  try {
    await handle.writeFile(manifest);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await folder.finish(height);
  await syncFolder(folder.directory);
}

async function makeRows(
  store: Store,
  { manifest, sealed }: OpenSnapshot,
  { onProgress }: RestoreOptions,
): Promise<void> {
  const totalChunks = 2 ** manifest.depth;
  onProgress({ phase: 'projections', chunks: totalChunks, totalChunks });
  await projectState(store, CATALOG, sealed.block.header, stateInParts(store));
}

/** What makes a ledger of it. */
function lastOps({ manifest, sealed }: OpenSnapshot, { validatorKey }: RestoreOptions): StoreOperation[] {
  const marks = Array.from({ length: 2 ** manifest.depth }, (_, index) => restoredChunkKey(index));
  return [
    ...identityOps({ chainId: manifest.chainId, validatorKey }),
    ...floorOps(manifest.height),
    ...firstBlockOps(sealed),
    ...[RESTORING_KEY, ...marks].map((key): StoreOperation => ({ kind: 'delete', key })),
  ];
}
