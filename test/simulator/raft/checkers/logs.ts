/**
 * Log matching (Raft, figure 3): two logs that hold an entry of the same index and term hold the same entry there, and
 * the same before it. It is enough that wherever an entry is seen, its content and the term of the entry before it are
 * what they were when that entry was first seen. Whoever created it leads in its term, and terms never fall along a log.
 */
import type { Entry } from '../../../../src/raft/messages.ts';
import type { Report } from '../../checkers/violation.ts';
import { contentOf } from './books.ts';

interface Known {
  readonly content: string;
  /** Of the entry before it; null while it was seen only where that was not known. */
  previousTerm: number | null;
}

const NAME = 'log matching';

export class LogChecker {
  readonly #report: Report;
  /** By index, then by term. */
  readonly #entries = new Map<number, Map<number, Known>>();

  constructor(report: Report) {
    this.#report = report;
  }

  /**
   * In a log, or on its way to one.
   *
   * @param previousTerm of the entry before it there; null when that is not known: compacted
   */
  seen(where: string, entry: Entry, previousTerm: number | null): void {
    const { index, term } = entry;
    let terms = this.#entries.get(index);
    if (terms === undefined) this.#entries.set(index, (terms = new Map()));
    const content = contentOf(entry);
    const details = { where, index, term, previousTerm };
    if (previousTerm !== null && previousTerm > term) return this.#violated('terms never fall along a log', details);
    const known = terms.get(term);
    if (known === undefined) {
      terms.set(term, { content, previousTerm });
      return;
    }
    if (known.content !== content) {
      return this.#violated('entries of one index and term are one entry', { ...details, known: known.content });
    }
    known.previousTerm ??= previousTerm;
    if (previousTerm === null || known.previousTerm === previousTerm) return;
    this.#violated('what precedes an entry is the same in every log', { ...details, known: known.previousTerm });
  }

  #violated(message: string, details: Readonly<Record<string, string | number | null>>): void {
    this.#report({ checker: NAME, message, details });
  }
}
