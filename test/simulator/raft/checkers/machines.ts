/**
 * State machine safety (Raft, figure 3): whoever applies an entry at an index applies the same one, every server applies
 * all of them one after another, and where two have applied equally much, by entries or by a snapshot, their states are
 * equal.
 */
import type { Entry } from '../../../../src/raft/messages.ts';
import type { Report } from '../../checkers/violation.ts';
import { contentOf } from './books.ts';

interface Applied {
  readonly term: number;
  readonly content: string;
  readonly by: string;
}

const NAME = 'state machine safety';

export class MachineChecker {
  readonly #committedUpTo: () => number;
  readonly #report: Report;
  /** By index. */
  readonly #applied = new Map<number, Applied>();
  readonly #states = new Map<number, { readonly digest: string; readonly by: string }>();
  /** By server, of its present life. */
  readonly #last = new Map<string, number>();

  /** @param committedUpTo what leaders have counted so far */
  constructor(committedUpTo: () => number, report: Report) {
    this.#committedUpTo = committedUpTo;
    this.#report = report;
  }

  /** A life begins with what its disk says was applied. */
  started(id: string, index: number, digest: string): void {
    this.#last.set(id, index);
    this.#state(id, index, digest);
  }

  /** @param digest of the state afterwards */
  applied(id: string, entry: Entry, digest: string): void {
    const { index, term } = entry;
    const last = this.#last.get(id) ?? 0;
    if (index !== last + 1) this.#violated('entries are applied one after another', { id, index, last });
    this.#last.set(id, index);
    const committed = this.#committedUpTo();
    if (index > committed) this.#violated('only what is committed is applied', { id, index, committed });
    const content = contentOf(entry);
    const first = this.#applied.get(index);
    if (first === undefined) this.#applied.set(index, { term, content, by: id });
    else if (first.term !== term || first.content !== content) {
      const details = { id, index, term, content, by: first.by, firstTerm: first.term, firstContent: first.content };
      this.#violated('all apply the same entry at an index', details);
    }
    this.#state(id, index, digest);
  }

  /** A snapshot took the place of its state. */
  restored(id: string, index: number, digest: string): void {
    const last = this.#last.get(id) ?? 0;
    if (index < last) this.#violated('a snapshot never takes a state back', { id, index, last });
    this.#last.set(id, index);
    this.#state(id, index, digest);
  }

  #state(id: string, index: number, digest: string): void {
    const first = this.#states.get(index);
    if (first === undefined) this.#states.set(index, { digest, by: id });
    else if (first.digest !== digest) {
      const details = { id, index, digest, by: first.by, first: first.digest };
      this.#violated('states that have applied equally much are equal', details);
    }
  }

  #violated(message: string, details: Readonly<Record<string, string | number>>): void {
    this.#report({ checker: NAME, message, details });
  }
}
