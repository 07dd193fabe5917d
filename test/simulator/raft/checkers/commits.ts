/**
 * What is committed: counted by its leader on the disks of a quorum, in its own term (Raft, 5.4.2); the same for ever; in
 * the log of every later leader (leader completeness, Raft, figure 3); and never taken back by whoever knew of it.
 */
import type { Configuration } from '../../../../src/raft/messages.ts';
import type { Report } from '../../checkers/violation.ts';
import { majorityOf, votersOf, type LogTerms } from './books.ts';

interface Leader {
  readonly id: string;
  readonly term: number;
  /** As it was when it was elected. */
  readonly log: LogTerms;
}

interface Committed {
  readonly term: number;
  /** In which it was committed: at least the entry's own. */
  readonly inTerm: number;
}

const NAME = 'commits';

/** Whether the disk of this server holds this entry, or a snapshot that ends with it or later. */
export type HoldsDurably = (id: string, index: number, term: number) => boolean;

export class CommitChecker {
  readonly #report: Report;
  readonly #holds: HoldsDurably;
  /** By index. */
  readonly #committed = new Map<number, Committed>();
  readonly #leaders: Leader[] = [];
  /** By server, of its present life. */
  readonly #known = new Map<string, number>();
  #highest = 0;

  constructor(holds: HoldsDurably, report: Report) {
    this.#holds = holds;
    this.#report = report;
  }

  /** Counted by a leader so far. */
  get highest(): number {
    return this.#highest;
  }

  termOf(index: number): number | undefined {
    return this.#committed.get(index)?.term;
  }

  /** What the log of a cluster begins with before anybody leads. */
  given(index: number, term: number): void {
    this.#committed.set(index, { term, inTerm: term });
    this.#highest = Math.max(this.#highest, index);
  }

  /** @param log a view of its log that does not change any more */
  elected(id: string, term: number, log: LogTerms): void {
    const leader = { id, term, log };
    this.#leaders.push(leader);
    for (let index = this.#highest; index > 0; index--) {
      // Below what its log still has, a snapshot speaks for it: `machines.ts` compares these.
      if (index < this.#highest && log.termAt(index) === undefined) break;
      this.#isComplete(leader, index);
    }
  }

  /** The commit index of a leader of this term moved up to here, over a log of its own. */
  countedBy(id: string, term: number, index: number, log: LogTerms, configuration: Configuration): void {
    const voters = votersOf(configuration);
    const entryTerm = log.termAt(index);
    if (entryTerm !== term) {
      this.#violated('a leader counts entries of its own term only', { id, term, index, entryTerm: entryTerm ?? null });
    }
    const holders = voters.filter((voter) => this.#holds(voter, index, term));
    if (holders.length < majorityOf(voters.length)) {
      const details = { id, term, index, voters: voters.join(' '), holders: holders.join(' ') };
      this.#violated('what is committed is on the disks of a quorum', details);
    }
    for (let at = index; at > 0; at--) {
      const known = this.#committed.get(at);
      const termAt = log.termAt(at);
      if (termAt === undefined) break;
      if (known !== undefined) {
        if (known.term === termAt) break;
        this.#violated('what is committed stays as it is', { id, term, index: at, was: known.term, is: termAt });
        break;
      }
      this.#committed.set(at, { term: termAt, inTerm: term });
      for (const leader of this.#leaders) if (leader.term > term) this.#isComplete(leader, at);
    }
    this.#highest = Math.max(this.#highest, index);
  }

  /** The commit index of a server after a step; of a leader, after `countedBy`. */
  knows(id: string, commitIndex: number, lastIndex: number): void {
    const before = this.#known.get(id) ?? 0;
    this.#known.set(id, commitIndex);
    const details = { id, commitIndex, before, lastIndex, highest: this.#highest };
    if (commitIndex < before) this.#violated('a commit index never falls', details);
    if (commitIndex > lastIndex) this.#violated('nothing is committed that is not in the log', details);
    if (commitIndex > this.#highest) this.#violated('nothing is committed that no leader has counted', details);
  }

  /** What it knew is forgotten: commit indexes are not written down. */
  stopped(id: string): void {
    this.#known.delete(id);
  }

  #isComplete({ id, log, term }: Leader, index: number): void {
    const committed = this.#committed.get(index);
    if (committed === undefined || committed.inTerm >= term) return;
    const found = log.termAt(index);
    if (found === committed.term || (found === undefined && index <= log.lastIndex)) return;
    const details = { leader: id, term, index, committed: committed.term, found: found ?? null };
    this.#report({
      checker: 'leader completeness',
      message: 'a leader has every entry that was committed before its term',
      details,
    });
  }

  #violated(message: string, details: Readonly<Record<string, string | number | null>>): void {
    this.#report({ checker: NAME, message, details });
  }
}
