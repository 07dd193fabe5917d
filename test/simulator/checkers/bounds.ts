/** Whatever is thrown at a validator, its queues and what it has under way stay within their bounds. */
import type { Report } from './violation.ts';

export interface Queues {
  /** Of the one validator that fills the inbox of the loop most. */
  readonly inboxMessages: number;
  /** Submitted ones that wait for the loop. */
  readonly inboxEvents: number;
  readonly mempoolEvents: number;
  readonly uncommittedBlocks: number;
  readonly waitingSubmissions: number;
  /** Checks that it waits for. */
  readonly verificationJobs: number;
  /** Requests to other nodes that it waits for. */
  readonly exchanges: number;
  /** Batches on their way to the disk. */
  readonly writes: number;
}

/** @template Q sizes by name */
export class BoundsChecker<Q extends object = Queues> {
  readonly #bounds: Q;
  readonly #report: Report;

  constructor(bounds: Q, report: Report) {
    this.#bounds = bounds;
    this.#report = report;
  }

  check(by: number | string, found: Partial<Q>): void {
    for (const [name, bound] of Object.entries(this.#bounds) as [keyof Q & string, number][]) {
      const size = found[name] as number | undefined;
      if (size === undefined || size <= bound) continue;
      const details = { by, name, size, bound };
      this.#report({ checker: 'bounds', message: 'every queue stays within its bound', details });
    }
  }
}
