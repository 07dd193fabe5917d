/** Every queue that a validator shows stays within its bound, whatever is thrown at it. */
import type { EngineStatus } from '../../../src/consensus/engine.ts';
import type { Report } from './violation.ts';

export interface QueueBounds {
  readonly mempoolEvents: number;
  readonly uncommittedBlocks: number;
  readonly waitingSubmissions: number;
}

export class BoundsChecker {
  readonly #bounds: QueueBounds;
  readonly #report: Report;

  constructor(bounds: QueueBounds, report: Report) {
    this.#bounds = bounds;
    this.#report = report;
  }

  check(by: number, status: EngineStatus, waitingSubmissions: number): void {
    const { mempoolEvents, uncommittedBlocks } = status;
    const found = { mempoolEvents, uncommittedBlocks, waitingSubmissions };
    for (const [name, size] of Object.entries(found) as [keyof QueueBounds, number][]) {
      if (size <= this.#bounds[name]) continue;
      this.#report({
        checker: 'bounds',
        message: 'every queue stays within its bound',
        details: { by, name, size, bound: this.#bounds[name] },
      });
    }
  }
}
