/** Percentiles of what was measured, in bounded memory: a uniform sample of all (algorithm R, Vitter 1985). */
import { Random } from '../../base/random.ts';

const SAMPLES_MAX = 20_000;

export interface Percentiles {
  readonly samples: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

export class LatencySample {
  readonly #random = new Random(1);
  readonly #kept: number[] = [];
  #seen = 0;
  #max = 0;

  add(milliseconds: number): void {
    this.#seen++;
    this.#max = Math.max(this.#max, milliseconds);
    if (this.#kept.length < SAMPLES_MAX) {
      this.#kept.push(milliseconds);
      return;
    }
    const slot = this.#random.below(this.#seen);
    if (slot < SAMPLES_MAX) this.#kept[slot] = milliseconds;
  }

  /** @returns undefined while nothing was measured */
  percentiles(): Percentiles | undefined {
    if (this.#seen === 0) return undefined;
    const sorted = this.#kept.toSorted((a, b) => a - b);
    const at = (fraction: number): number =>
      sorted[Math.min(sorted.length - 1, Math.ceil(fraction * sorted.length) - 1)] ?? 0;
    return { samples: this.#seen, p50: at(0.5), p90: at(0.9), p99: at(0.99), max: this.#max };
  }
}
