/**
 * The snapshot that a replay of a log begins with which does not go back to its beginning: the oldest that the log has the
 * block of, so that as much as can be is executed again. As much of it is checked as of a stranger's.
 */
import { access } from 'node:fs/promises';
import { codedError, unwrap } from '../../base/result.ts';
import { decodeSealedHeader } from '../../ledger/block.ts';
import { checkSchemaKnown } from '../../ledger/event-schema-at.ts';
import { restoredChunkKey, stateKey } from '../../ledger/layout.ts';
import { throughChunks } from '../snapshot/chunk-threads.ts';
import { chunkTasks, chunkWork, openSnapshot, type OpenSnapshot } from '../snapshot/open-snapshot.ts';
import type { SnapshotFolder } from '../snapshot/snapshot-folder.ts';
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
  { genesis, snapshots, source, threads }: FirstStateOptions,
  facts: LedgerFacts,
): Promise<Omit<FirstState, 'genesisId'>> {
  const { chainId, firstHeight, head } = facts;
  const height = (await snapshots.heights()).findLast((each) => each >= firstHeight && each <= head.height);
  if (height === undefined) {
    const message = 'the log does not go back to its beginning, and there is no snapshot to begin with';
    throw codedError('replay-from-snapshot', message, { firstHeight });
  }
  const snapshot = await openSnapshot(await snapshotInFolder(snapshots, height), genesis);
  await checkLogged(source, snapshot);
  const { entries } = snapshot.manifest;
  const { block } = snapshot.sealed;
  return {
    kind: 'snapshot',
    chainId,
    block,
    sealed: snapshot.sealed,
    note:
      `begins with the snapshot at height ${height}, ${entries} entries: ` +
      `the log begins at height ${firstHeight}, and what was before is not replayed`,
    write: (place) => writeState(place, snapshot, snapshots, threads),
    parts: stateInParts,
  };
}

async function checkLogged(source: LedgerSource, { sealed: { block } }: OpenSnapshot): Promise<void> {
  const { chainId, height } = block.header;
  for await (const bytes of source.blocks(height, height)) {
    const logged = decodeSealedHeader(chainId, bytes);
    if (logged.ok && logged.value.id === block.id) return;
  }
  throw codedError('replay-snapshot-foreign', 'the snapshot is of another block than the log has at its height', {
    height,
    blockId: block.id,
  });
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
