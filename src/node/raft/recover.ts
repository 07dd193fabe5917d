/**
 * A majority is lost for ever, and an operator says who is left (`raft/recovery.ts`). What this server holds becomes a
 * snapshot with the new configuration, and the log goes. The directory is copied first: whoever recovers the wrong server
 * has lost nothing.
 */
import { cp, lstat, stat } from 'node:fs/promises';
import { codedError, unwrap } from '../../base/result.ts';
import { recoveredSnapshot } from '../../raft/recovery.ts';
import type { Configuration, Entry, ServerId } from '../../raft/messages.ts';
import type { SnapshotMeta } from '../../raft/contract.ts';
import type { StoredSnapshot } from '../../raft/stored-records.ts';
import type { Store } from '../../store/store.ts';
import { appliedOp, openRaft, snapshotOp, type StoredRaft } from './log-store.ts';
import type { SnapshotStore } from './snapshot-store.ts';
import type { StateMachine } from './state-machine.ts';

export interface Recovery {
  readonly snapshot: StoredSnapshot;
  /** Entries that were in the log and not known to be committed here: they count as committed now. */
  readonly adopted: number;
}

const BATCH_ENTRIES = 512;
const CUT_TOGETHER = 1024;

/**
 * @param directory that nobody has open
 * @returns the copy's path, beside it
 */
export async function backUp(directory: string): Promise<string> {
  for (let number = 1; ; number++) {
    const copy = `${directory}.before-recovery-${number}`;
    const isTaken = await stat(copy).then(
      () => true,
      () => false,
    );
    if (isTaken) continue;
    await cp(directory, copy, {
      recursive: true,
      errorOnExist: true,
      force: false,
      preserveTimestamps: true,
      // The control socket of a node that was killed.
      filter: async (path) => !(await lstat(path)).isSocket(),
    });
    return copy;
  }
}

/**
 * The server must not run.
 *
 * @throws CodedError those of `recoveredSnapshot`, of `openRaft` and of `SnapshotStore.write`,
 *   `raft-restore-unfinished` where a snapshot was being restored when the server ended
 */
export async function recoverServer<O>(
  self: ServerId,
  configuration: Configuration,
  parts: { readonly store: Store; readonly snapshots: SnapshotStore; readonly machine: StateMachine<O> },
): Promise<Recovery> {
  const { machine, snapshots, store } = parts;
  const raft = await openRaft(store);
  if (raft.restoring !== null) {
    throw codedError('raft-restore-unfinished', 'a snapshot was being restored: start the server once, then recover', {
      lastIndex: raft.restoring.lastIndex,
    });
  }
  const { log, snapshot } = raft;
  const lastIndex = Math.max(log.lastIndex, snapshot?.lastIndex ?? 0);
  const lastTerm = log.entry(lastIndex)?.term ?? snapshot?.lastTerm ?? 0;
  const meta = unwrap(recoveredSnapshot(self, { lastIndex, lastTerm }, configuration));
  const adopted = await applyAll(raft, machine, store);
  const stored = await writeSnapshot(meta, snapshots, machine, store);
  for (;;) {
    const operations = log.compactOps(lastIndex, CUT_TOGETHER);
    if (operations.length === 0) break;
    await store.batch(operations, { sync: true });
  }
  await snapshots.prune(stored);
  return { snapshot: stored, adopted };
}

async function applyAll<O>({ applied, log }: StoredRaft, machine: StateMachine<O>, store: Store): Promise<number> {
  let next = applied.index + 1;
  while (next <= log.lastIndex) {
    const entries: Entry[] = [];
    while (entries.length < BATCH_ENTRIES && next <= log.lastIndex) {
      const entry = log.entry(next++);
      if (entry === undefined) throw codedError('raft-log-inconsistent', 'an entry to be applied is not in the log');
      entries.push(entry);
    }
    const last = entries.at(-1);
    if (last === undefined) break;
    const application = machine.apply(entries);
    const { index, term } = last;
    await store.batch([...application.operations, appliedOp({ index, term })], { sync: false });
    machine.written?.(application);
  }
  return log.lastIndex - applied.index;
}

async function writeSnapshot<O>(
  meta: SnapshotMeta,
  snapshots: SnapshotStore,
  machine: StateMachine<O>,
  store: Store,
): Promise<StoredSnapshot> {
  const stored = await snapshots.write(meta, await machine.snapshot(), null);
  await store.batch([snapshotOp(stored)], { sync: true });
  return stored;
}
