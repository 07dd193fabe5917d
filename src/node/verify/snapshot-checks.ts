/** Snapshots of the state in the data directory: each is judged as a stranger's would be, and held against the log. */
import { CodedError } from '../../base/result.ts';
import { type BlockLog } from '../../ledger/block-log.ts';
import { peekBlockId } from '../../ledger/block.ts';
import type { Genesis } from '../../ledger/genesis.ts';
import { openSnapshot, verifyChunks } from '../snapshot/open-snapshot.ts';
import type { SnapshotFolder } from '../snapshot/snapshot-folder.ts';
import { snapshotInFolder } from '../snapshot/snapshot-source.ts';
import type { CheckedLog } from './log-checks.ts';
import type { Findings, Repair } from './finding.ts';

export interface SnapshotChecks {
  readonly folder: SnapshotFolder;
  readonly genesis: Genesis;
  readonly log: BlockLog;
  /** Heights of blocks in it. */
  readonly heights: Pick<CheckedLog, 'firstHeight' | 'head'>;
  readonly threads: number;
  readonly onNote: (note: string) => void;
}

/** @returns how many there are */
export async function checkSnapshots(checks: SnapshotChecks, findings: Findings): Promise<number> {
  const { folder, heights, onNote } = checks;
  const all = await folder.heights();
  const bad: { readonly height: number; readonly because: CodedError | null }[] = [];
  const good: number[] = [];
  for (const height of all) {
    const because = await judge(checks, height);
    if (because === 'holds') {
      good.push(height);
      onNote(`the snapshot at height ${height} holds`);
    } else bad.push({ height, because });
  }
  const inLog = good.filter((height) => height >= heights.firstHeight && height <= (heights.head?.height ?? -1));
  const canGo = heights.firstHeight === 0 || inLog.length > 0;
  for (const { because, height } of bad) {
    // The last one that a replay could begin with may be put together again, from those of other nodes.
    const repair: Repair | null = canGo ? { kind: 'snapshot', says: 'remove it', height } : null;
    if (because === null) {
      const message = 'a snapshot is of another block than the log has at its height';
      findings.addFinding('verify-snapshot-foreign', message, { height }, repair);
    } else {
      const details = { ...because.details, height, because: because.code };
      findings.addFinding('verify-snapshot-damaged', 'a snapshot does not hold', details, repair);
    }
  }
  return all.length;
}

/** @returns why it does not hold; null: it is of another block than the log has */
async function judge(
  { folder, genesis, log, threads }: SnapshotChecks,
  height: number,
): Promise<CodedError | 'holds' | null> {
  try {
    const snapshot = await openSnapshot(await snapshotInFolder(folder, height), genesis);
    await verifyChunks(snapshot, threads, () => undefined);
    const logged = log.sealedBytesAt(height);
    const isLogged = logged === undefined || peekBlockId(logged) === snapshot.sealed.block.id;
    return isLogged ? 'holds' : null;
  } catch (error) {
    if (error instanceof CodedError) return error;
    throw error;
  }
}
