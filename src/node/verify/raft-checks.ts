/** What a member of a Raft cluster keeps beside its ledger: the log of Raft, its records, and the state of its snapshot. */
import { CodedError } from '../../base/result.ts';
import type { Store } from '../../store/store.ts';
import { openRaft } from '../raft/log-store.ts';
import { readSnapshotFile } from '../raft/snapshot-files.ts';
import type { Findings } from './finding.ts';

/**
 * @param folder of the snapshots of Raft
 * @returns entries of the log, null: it is damaged
 */
export async function checkRaft(store: Store, folder: string, findings: Findings): Promise<number | null> {
  let found: Awaited<ReturnType<typeof openRaft>>;
  try {
    found = await openRaft(store);
  } catch (error) {
    const because = codedText(error);
    findings.addFinding('verify-raft-log-damaged', 'the log of Raft, or a record beside it, is damaged', { because });
    return null;
  }
  const { log, restoring, snapshot } = found;
  for (const stored of [snapshot, restoring]) {
    if (stored === null) continue;
    const { file, lastIndex } = stored;
    try {
      for await (const _piece of readSnapshotFile(folder, stored));
    } catch (error) {
      const details = { file, lastIndex, because: codedText(error) };
      findings.addFinding('verify-raft-snapshot-damaged', 'the snapshot of Raft is damaged', details);
    }
  }
  return log.lastIndex - log.firstIndex + 1;
}

/** @throws what has no code: it is no finding */
function codedText(error: unknown): string {
  if (!(error instanceof CodedError)) throw error;
  return `${error.code}: ${error.message}`;
}
