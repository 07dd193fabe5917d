/** Whatever is thrown at a validator, its queues and what it has under way stay within their bounds. */
import type { Report } from './violation.ts';

export interface Queues {
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

export class BoundsChecker {
  readonly #bounds: Queues;
  readonly #report: Report;

  constructor(bounds: Queues, report: Report) {
    this.#bounds = bounds;
    this.#report = report;
  }

  check(by: number, found: Queues): void {
    for (const [name, bound] of Object.entries(this.#bounds) as [keyof Queues, number][]) {
      const size = found[name];
      if (size <= bound) continue;
      const details = { by, name, size, bound };
      this.#report({ checker: 'bounds', message: 'every queue stays within its bound', details });
    }
  }
}
