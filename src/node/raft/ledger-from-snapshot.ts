/**
 * What a replay of a member's ledger begins with whose log began with a snapshot of its cluster: the oldest of the
 * snapshots on its disk that the log has the block of. Nobody signed it: that it makes the state root of a block in the
 * log is all that speaks for it, as for the log itself.
 */
import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Block } from '../../ledger/block.ts';
import type { GenesisState } from '../../ledger/genesis-state.ts';
import type { StateChange } from '../../ledger/state.ts';
import { listSnapshotFiles, raftSnapshotsDirectory } from './snapshot-files.ts';
import { judgeSnapshot, stateInSnapshot } from './snapshot-restoring.ts';

/**
 * @param isLogged whether the log has this very block
 * @returns undefined where there is none; one that is of no ledger, as before BASE, or of a block that the log does not
 *   have, is passed over
 * @throws CodedError of `judgeSnapshot`: a damaged one is not passed over, that is for its owner to decide
 */
export async function oldestRaftSnapshot(
  dataDirectory: string,
  chainId: string,
  isLogged: (block: Block) => Promise<boolean>,
): Promise<GenesisState | undefined> {
  const folder = raftSnapshotsDirectory(dataDirectory);
  for (const name of await listSnapshotFiles(folder)) {
    const handle = await openUnlessGone(join(folder, name));
    if (handle === undefined) continue;
    try {
      const restored = await judgeSnapshot(piecesOf(handle), chainId);
      if (restored.kind === 'map' || !(await isLogged(restored.sealed.block))) continue;
      const changes: StateChange[] = [];
      for await (const change of stateInSnapshot(piecesOf(handle))) changes.push(change);
      const { sealed } = restored;
      return { chainId, block: sealed.block, sealed, changes };
    } finally {
      await handle.close();
    }
  }
  return undefined;
}

/** A running member removes its oldest snapshot when it has a newer one; what is open stays readable. */
async function openUnlessGone(path: string): Promise<FileHandle | undefined> {
  return open(path).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  });
}

function piecesOf(handle: FileHandle): AsyncIterable<Buffer> {
  return handle.createReadStream({ start: 0, autoClose: false });
}
