/** A snapshot of a directory that no node has open. */
import { codedError, ok } from '../../base/result.ts';
import { BlockLog, checkStore } from '../../ledger/block-log.ts';
import { chainIdOf, type Genesis } from '../../ledger/genesis.ts';
import { RAFT_LEDGER_KEY } from '../../ledger/layout.ts';
import { ledgerDirectory, openStore } from '../open-store.ts';
import { makeSnapshot } from './make-snapshot.ts';
import { SnapshotFolder } from './snapshot-folder.ts';
import type { WritingProgress, WrittenSnapshot } from './snapshot-writer.ts';

export interface StoppedOptions {
  readonly dataDirectory: string;
  readonly genesis: Genesis;
  readonly onProgress: (progress: WritingProgress) => void;
  readonly signal: AbortSignal;
}

/**
 * At the head of the log.
 *
 * @throws CodedError of opening the store, `store-locked` where a node runs, those of `makeSnapshot`, `snapshot-exists`
 */
export async function snapshotOfStopped(options: StoppedOptions): Promise<WrittenSnapshot> {
  const { dataDirectory, genesis, onProgress, signal } = options;
  const ledger = ledgerDirectory(dataDirectory);
  const store = await openStore(dataDirectory, { threads: true });
  try {
    const chainId = chainIdOf(genesis);
    await checkStore(store, { chainId });
    if (store.get(RAFT_LEDGER_KEY) !== undefined) throw crashOnly();
    const { height } = BlockLog.over(store, { chainId, validatorKey: null }).head();
    const folder = SnapshotFolder.of(dataDirectory);
    await folder.tidy();
    if ((await folder.heights()).includes(height)) throw exists(height);
    const changedSince = () => ok(new Map());
    const stepsAside = false;
    return await makeSnapshot({ ledger, chainId, height, folder, stepsAside, changedSince, onProgress, signal });
  } finally {
    await store.close();
  }
}

export function exists(height: number): Error {
  return codedError('snapshot-exists', 'there is a snapshot of this height already', { height });
}

export function crashOnly(): Error {
  return codedError('snapshot-crash-only', 'nobody signs the blocks of a Raft epoch: Raft ships snapshots of its own');
}
