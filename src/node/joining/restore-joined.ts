/** The end of a join: the chunks that were fetched become the ledger, and the snapshot one that this node serves too. */
import { rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { CodedError } from '../../base/result.ts';
import type { LogIdentity } from '../../ledger/block-log.ts';
import type { Genesis } from '../../ledger/genesis.ts';
import type { SnapshotName } from '../../ledger/snapshot-offer.ts';
import { ledgerDirectory } from '../open-ledger.ts';
import { LevelStore } from '../../store/level-store.ts';
import { restoreLedger } from '../snapshot/restore-ledger.ts';
import { readRestoring } from '../snapshot/restoring-record.ts';
import { snapshotInFolder } from '../snapshot/snapshot-source.ts';
import type { JoinStaging } from './join-staging.ts';

export interface RestoreJoinedOptions {
  readonly dataDirectory: string;
  readonly genesis: Genesis;
  readonly validatorKey: LogIdentity['validatorKey'];
  readonly staging: JoinStaging;
  readonly of: SnapshotName;
}

/**
 * @returns the index of a chunk that is not what it was when it was fetched, and is to be fetched again; null when the
 *   ledger is whole
 * @throws CodedError those of `restoreLedger`, but `store-not-empty`: then an earlier run came to the end
 */
export async function restoreJoined(options: RestoreJoinedOptions): Promise<number | null> {
  const { dataDirectory, genesis, of, staging, validatorKey } = options;
  try {
    const source = await snapshotInFolder(staging.folder, of.height);
    const threads = availableParallelism();
    // It follows the sooner; who reads projections waits until they are rebuilt from this snapshot.
    const rows = 'later';
    await restoreLedger({ dataDirectory, genesis, validatorKey, source, threads, rows, onProgress: () => undefined });
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    if (error.code === 'restore-of-another') {
      // Half a snapshot that was left for this one, and nothing else: no ledger was ever made of it.
      await rm(ledgerDirectory(dataDirectory), { recursive: true });
      return restoreJoined(options);
    }
    const { chunk } = error.details;
    if (typeof chunk === 'number') {
      await staging.forget(of, chunk);
      return chunk;
    }
    if (error.code !== 'store-not-empty') throw error;
  }
  await staging.discard();
  return null;
}

/** Where no snapshot is to be had any more: half of one is no ledger, and would be in the way of one. */
export async function discardHalfRestored(dataDirectory: string): Promise<void> {
  const directory = ledgerDirectory(dataDirectory);
  const store = await LevelStore.open(directory).catch((error: unknown) => {
    if (error instanceof CodedError && error.code === 'store-missing') return undefined;
    throw error;
  });
  if (store === undefined) return;
  const isHalf = readRestoring(store) !== undefined;
  await store.close();
  if (isHalf) await rm(directory, { recursive: true });
}
