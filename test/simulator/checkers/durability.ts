/**
 * What a validator has told anybody of its log, by an acknowledgement or a commit, is on its disk by then, and is in its
 * log ever after: over every restart, whether its process ended or its machine lost power.
 */
import type { Report } from './violation.ts';

const NAME = 'durability';

export class DurabilityChecker {
  readonly #report: Report;
  /** By validator: the highest block that it told of. */
  readonly #told = new Map<number, number>();

  constructor(report: Report) {
    this.#report = report;
  }

  /** @param durableHeight of its log, after a power cut at this moment */
  told(by: number, height: number, durableHeight: number): void {
    if (durableHeight < height)
      this.#violated('a block is durable before anybody is told of it', by, height, durableHeight);
    this.#told.set(by, Math.max(this.#told.get(by) ?? 0, height));
  }

  /** @param height of its log after a start */
  started(by: number, height: number): void {
    const told = this.#told.get(by) ?? 0;
    if (height < told) this.#violated('what a validator told of is in its log after a restart', by, told, height);
  }

  /** Its disk, and all that was promised of it. */
  lost(by: number): void {
    this.#told.delete(by);
  }

  #violated(message: string, by: number, told: number, height: number): void {
    this.#report({ checker: NAME, message, details: { by, told, height } });
  }
}
