/** Timing, and what a list of times comes to. Milliseconds everywhere. */
import { cpus } from 'node:os';

export interface Summary {
  readonly samples: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** The nearest-rank percentile. */
export function percentile(samples: readonly number[], fraction: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  const rank = Math.ceil(fraction * sorted.length) - 1;
  return sorted[Math.min(Math.max(rank, 0), sorted.length - 1)] ?? Number.NaN;
}

export function summarize(samplesMs: readonly number[]): Summary {
  return { samples: samplesMs.length, p50Ms: percentile(samplesMs, 0.5), p99Ms: percentile(samplesMs, 0.99) };
}

/** Runs `once` for a tenth of the samples unmeasured, then `samples` times. */
export function time(samples: number, once: (i: number) => void): Summary {
  for (let i = 0; i < samples / 10; i++) once(i);
  const times: number[] = [];
  for (let i = 0; i < samples; i++) {
    const started = performance.now();
    once(i);
    times.push(performance.now() - started);
  }
  return summarize(times);
}

/** As `time`, for what waits. */
export async function timeAsync(samples: number, once: (i: number) => Promise<void>): Promise<Summary> {
  for (let i = 0; i < samples / 10; i++) await once(i);
  const times: number[] = [];
  for (let i = 0; i < samples; i++) {
    const started = performance.now();
    await once(i);
    times.push(performance.now() - started);
  }
  return summarize(times);
}

export interface Machine {
  readonly cores: number;
  readonly processor: string;
  readonly node: string;
}

export function machine(): Machine {
  return { cores: cpus().length, processor: cpus()[0]?.model ?? 'unknown', node: process.version };
}
