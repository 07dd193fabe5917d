/**
 * A success of an append is a promise that the entries are on the disk: the leader counts them. What was durable once may
 * since have been cut off by another leader, which the promise does not speak of (Raft, 5.3).
 */
import type {
  AppendEntriesRequest,
  AppendEntriesResponse,
  InstallSnapshotRequest,
} from '../../../../src/raft/messages.ts';
import type { Report } from '../../checkers/violation.ts';

/** What one disk holds, and held. */
export interface DurableLog {
  /** The snapshot that its log continues. */
  readonly snapshotIndex: number;
  everHeld(index: number, term: number): boolean;
}

const NAME = 'promises';

export class PromiseChecker {
  readonly #report: Report;

  constructor(report: Report) {
    this.#report = report;
  }

  /** A server counts its own log up to here as durable. @param term of the entry there; undefined: compacted */
  believes(id: string, durableIndex: number, term: number | undefined, disk: DurableLog): void {
    if (term === undefined || durableIndex <= disk.snapshotIndex || disk.everHeld(durableIndex, term)) return;
    const details = { id, durableIndex, term, snapshotIndex: disk.snapshotIndex };
    this.#report({ checker: NAME, message: 'what a server takes for durable is on its disk', details });
  }

  /** The answer leaves the machine. */
  appended(id: string, request: AppendEntriesRequest, { success }: AppendEntriesResponse, disk: DurableLog): void {
    const { entries, prevIndex, prevTerm, term } = request;
    if (!success) return;
    const last = entries?.at(-1) ?? (prevIndex > 0 ? { index: prevIndex, term: prevTerm } : null);
    if (last === null || last.index <= disk.snapshotIndex || disk.everHeld(last.index, last.term)) return;
    const details = { id, term, index: last.index, entryTerm: last.term, snapshotIndex: disk.snapshotIndex };
    this.#report({ checker: NAME, message: 'what is acknowledged is on the disk', details });
  }

  /** That a snapshot was installed leaves the machine. */
  installed(id: string, { lastIndex, lastTerm }: InstallSnapshotRequest, disk: DurableLog): void {
    // A log that goes on from its last entry holds all of it.
    if (disk.snapshotIndex >= lastIndex || disk.everHeld(lastIndex, lastTerm)) return;
    const details = { id, lastIndex, snapshotIndex: disk.snapshotIndex };
    this.#report({ checker: NAME, message: 'a snapshot that is acknowledged is on the disk', details });
  }
}
