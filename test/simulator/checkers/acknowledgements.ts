/** What a submitter was told is so: an acknowledged event is in the chain, and on the disk of who acknowledged it. */
import type { Hash } from '../../../src/base/hash.ts';
import type { Report } from './violation.ts';

const NAME = 'acknowledgements';

export class AcknowledgementChecker {
  readonly #heightOf: (event: Hash) => number | undefined;
  readonly #report: Report;
  acknowledged = 0;

  constructor(heightOf: (event: Hash) => number | undefined, report: Report) {
    this.#heightOf = heightOf;
    this.#report = report;
  }

  /**
   * @param height that it was told; null: committed before it asked
   * @param durableHeight of the log of the validator that told it, after a power cut at this moment
   */
  acknowledge(by: number, event: Hash, height: number | null, durableHeight: number): void {
    this.acknowledged++;
    const committed = this.#heightOf(event);
    if (committed === undefined) return this.#violated('an acknowledged event is committed', { by, event, height });
    if (height !== null && height !== committed) {
      this.#violated('an acknowledged event is where it was said to be', { by, event, height, committed });
    }
    if (durableHeight < committed) {
      this.#violated('an acknowledged event is durable', { by, event, committed, durableHeight });
    }
  }

  /** Refusals that a sender with one event in flight, in the order of its numbers, never gets. */
  refused(by: number, event: Hash, code: string): void {
    if (code !== 'superseded' && code !== 'sequence-conflict') return;
    this.#violated('a sender that keeps the order is never told that it broke it', { by, event, code });
  }

  #violated(message: string, details: Readonly<Record<string, string | number | null>>): void {
    this.#report({ checker: NAME, message, details });
  }
}
