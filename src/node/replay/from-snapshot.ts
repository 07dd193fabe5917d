/**
 * The snapshot that a replay of a log begins with which does not go back to its beginning: the oldest that the log has the
 * block of, so that as much as can be is executed again. As much of it is checked as of a stranger's.
 */
import { access } from 'node:fs/promises';
import { codedError, unwrap, type CodedError } from '../../base/result.ts';
import { decodeSealedHeader, type Block } from '../../ledger/block.ts';
import { checkSchemaKnown } from '../../ledger/event-schema-at.ts';
import type { GenesisState } from '../../ledger/genesis-state.ts';
import { restoredChunkKey, stateKey } from '../../ledger/layout.ts';
import { oldestRaftSnapshot } from '../raft/ledger-from-snapshot.ts';
import { throughChunks } from '../snapshot/chunk-threads.ts';
import { chunkTasks, chunkWork, openSnapshot, type OpenSnapshot } from '../snapshot/open-snapshot.ts';
import { SnapshotFolder } from '../snapshot/snapshot-folder.ts';
import { snapshotInFolder } from '../snapshot/snapshot-source.ts';
import { stateInParts } from '../snapshot/state-parts.ts';
import type { FirstState, FirstStateOptions } from './beginning.ts';
import type { Place } from './place.ts';
import type { LedgerFacts, LedgerSource } from './source.ts';

/**
 * @throws CodedError `replay-from-snapshot`: there is none; `replay-snapshot-foreign`: it is of another block than the log
 *   has; those of `snapshotInFolder` and of `openSnapshot`. A damaged snapshot is not passed over: that is for its owner
 *   to decide
 */
export async function snapshotFor(
  { dataDirectory, genesis, source, threads }: FirstStateOptions,
  facts: LedgerFacts,
): Promise<Omit<FirstState, 'genesisId'>> {
  const { chainId, firstHeight, head } = facts;
  const snapshots = SnapshotFolder.of(dataDirectory);
  const height = (await snapshots.heights()).findLast((each) => each >= firstHeight && each <= head.height);
  if (height === undefined) throw noSnapshot(firstHeight);
  const snapshot = await openSnapshot(await snapshotInFolder(snapshots, height), genesis);
  const { block } = snapshot.sealed;
  if (!(await isLogged(source, block))) {
    const message = 'the snapshot is of another block than the log has at its height';
    throw codedError('replay-snapshot-foreign', message, { height, blockId: block.id });
  }
  const { entries } = snapshot.manifest;
  return {
    kind: 'snapshot',
    chainId,
    block,
    sealed: snapshot.sealed,
    note: beginsWith(height, entries, firstHeight),
    write: (place) => writeState(place, snapshot, snapshots, threads),
    parts: stateInParts,
  };
}

/**
 * The same of a member of a Raft cluster, by one of its own snapshots.
 *
 * @throws CodedError `replay-from-snapshot`; those of `oldestRaftSnapshot`
 */
export async function raftSnapshotFor(
  { dataDirectory, source }: FirstStateOptions,
  { chainId, firstHeight, head }: LedgerFacts,
): Promise<GenesisState & { readonly note: string }> {
  const state = await oldestRaftSnapshot(dataDirectory, chainId, async (block) => {
    const { height } = block.header;
    return height >= firstHeight && height <= head.height && isLogged(source, block);
  });
  if (state === undefined) throw noSnapshot(firstHeight);
  return { ...state, note: beginsWith(state.block.header.height, state.changes.length, firstHeight) };
}

function noSnapshot(firstHeight: number): CodedError {
  const message = 'the log does not go back to its beginning, and there is no snapshot to begin with';
  return codedError('replay-from-snapshot', message, { firstHeight });
}

function beginsWith(height: number, entries: number, firstHeight: number): string {
  return (
    `begins with the snapshot at height ${height}, ${entries} entries: ` +
    `the log begins at height ${firstHeight}, and what was before is not replayed`
  );
}

async function isLogged(source: LedgerSource, { header: { chainId, height }, id }: Block): Promise<boolean> {
  for await (const bytes of source.blocks(height, height)) {
    const logged = decodeSealedHeader(chainId, bytes);
    if (logged.ok && logged.value.id === id) return true;
  }
  return false;
}

/** By the threads that check it, chunk by chunk: what does not lead to the root is not written. */
async function writeState(
  { store, storeDirectory }: Place,
  snapshot: OpenSnapshot,
  snapshots: SnapshotFolder,
  threads: number,
): Promise<void> {
  const { depth, height } = snapshot.manifest;
  try {
    const tasks = chunkTasks(snapshot, () => ({ copyTo: null, gives: false }));
    await throughChunks(chunkWork(snapshot, storeDirectory), tasks, threads, () => undefined);
  } catch (error) {
    throw (await isThere(snapshots, height)) ? error : removed(height, error);
  }
  const marks = Array.from({ length: 2 ** depth }, (_, index) => ({
    kind: 'delete' as const,
    key: restoredChunkKey(index),
  }));
  await store.batch(marks, { sync: false });
  // A newer program wrote records that this one could not read.
  unwrap(checkSchemaKnown({ get: (key) => store.get(stateKey(key)) }, height));
}

function isThere(snapshots: SnapshotFolder, height: number): Promise<boolean> {
  return access(snapshots.pathOf(height)).then(
    () => true,
    () => false,
  );
}

/** A running node removes its oldest snapshots when it has made newer ones. */
function removed(height: number, cause: unknown): Error {
  const message = 'the snapshot that the replay began with was removed: the node has newer ones';
  return codedError('replay-snapshot-removed', message, { height }, { cause });
}
