/** When a snapshot is taken without anybody asking (hashicorp/raft `snapshot.go`, `runSnapshots`). An idle server sets no timer. */
import { Random } from '../../base/random.ts';
import type { SnapshotPolicy } from './server-options.ts';

interface ScheduleOutlets {
  isDue(threshold: number): boolean;
  take(): Promise<unknown>;
  failed(error: unknown): void;
}

export class SnapshotSchedule {
  readonly #policy: SnapshotPolicy;
  readonly #outlets: ScheduleOutlets;
  readonly #random: Random;
  #timer: NodeJS.Timeout | null = null;
  #stopped = false;

  constructor(policy: SnapshotPolicy, seed: number, outlets: ScheduleOutlets) {
    this.#policy = policy;
    this.#outlets = outlets;
    this.#random = new Random(seed);
  }

  /** Something was applied. */
  applied(): void {
    if (this.#timer !== null || this.#stopped) return;
    const { intervalMs } = this.#policy;
    this.#timer = setTimeout(() => this.#look(), intervalMs * (1 + this.#random.fraction()));
    this.#timer.unref();
  }

  stop(): void {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  #look(): void {
    this.#timer = null;
    if (!this.#outlets.isDue(this.#policy.threshold)) return;
    this.#outlets.take().catch((error: unknown) => this.#outlets.failed(error));
  }
}
