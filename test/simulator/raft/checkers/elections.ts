/** Election safety: at most one server leads in a term, over all lives of all servers (Raft, figure 3). */
import type { Report } from '../../checkers/violation.ts';

export class ElectionChecker {
  readonly #report: Report;
  readonly #leaders = new Map<number, string>();

  constructor(report: Report) {
    this.#report = report;
  }

  /** Says so itself, or sends what a leader alone sends. @returns whether nobody was known to lead in this term */
  leads(id: string, term: number): boolean {
    const leader = this.#leaders.get(term);
    if (leader === undefined) {
      this.#leaders.set(term, id);
      return true;
    }
    if (leader !== id) {
      const details = { term, id, leader };
      this.#report({ checker: 'election safety', message: 'one server at most leads in a term', details });
    }
    return false;
  }

  leaderOf(term: number): string | undefined {
    return this.#leaders.get(term);
  }
}
