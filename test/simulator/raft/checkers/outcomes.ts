/**
 * What whoever proposed something was told, against what was applied: acknowledged is applied where it was said to be,
 * refused for certain is applied nowhere, and nothing is applied twice. An unknown outcome may be either.
 */
import type { Report } from '../../checkers/violation.ts';

/** Refusals after which it certainly was not written: the contract of the engine names them. */
export const CERTAIN_REFUSALS: ReadonlySet<string> = new Set(['not-leader', 'busy', 'transferring']);

const NAME = 'outcomes';

export class OutcomeChecker {
  readonly #report: Report;
  /** By what was proposed: where it was first applied. */
  readonly #applied = new Map<string, number>();
  readonly #refused = new Map<string, string>();

  constructor(report: Report) {
    this.#report = report;
  }

  /** @param what is proposed once */
  applied(what: string, index: number): void {
    const first = this.#applied.get(what) ?? index;
    this.#applied.set(what, first);
    if (first !== index) this.#violated('what was proposed once is applied once', { what, index, first });
    const code = this.#refused.get(what);
    if (code !== undefined) this.#violated('what was refused is not applied', { what, index, code });
  }

  acknowledged(what: string, index: number): void {
    const applied = this.#applied.get(what);
    if (applied !== index) {
      const details = { what, index, applied: applied ?? null };
      this.#violated('what is acknowledged was applied where it is said to be', details);
    }
  }

  refused(what: string, code: string): void {
    this.#refused.set(what, code);
    const index = this.#applied.get(what);
    if (index !== undefined) this.#violated('what was refused is not applied', { what, index, code });
  }

  #violated(message: string, details: Readonly<Record<string, string | number | null>>): void {
    this.#report({ checker: NAME, message, details });
  }
}
