/** A node's clock: it may be wrong, run fast or slow, and be set while it runs. */
import type { Scheduler } from './scheduler.ts';
import { START_MS } from './simulated-keys.ts';

export class SimulatedClock {
  readonly #scheduler: Scheduler;
  #rate = 1;
  #sinceMs = 0;
  #wallAtMs = START_MS;

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  /** Unix milliseconds, as the node reads them. */
  nowMs(): number {
    return Math.floor(this.#exact());
  }

  /** From now on it runs at another rate, without a step: a monotone clock. @param rate as of `set` */
  setRate(rate: number): void {
    this.set(this.skewMs, rate);
  }

  /** Real milliseconds for one of this clock. */
  get realMsPerMs(): number {
    return 1 / this.#rate;
  }

  /** What it shows beside the true time. */
  get skewMs(): number {
    return this.#exact() - START_MS - this.#scheduler.nowMs;
  }

  /** @param rate milliseconds of this clock for a true one */
  set(skewMs: number, rate: number): void {
    this.#sinceMs = this.#scheduler.nowMs;
    this.#wallAtMs = START_MS + this.#sinceMs + skewMs;
    this.#rate = rate;
  }

  #exact(): number {
    return this.#wallAtMs + (this.#scheduler.nowMs - this.#sinceMs) * this.#rate;
  }
}
