/** The state of all processes, asked for again and again, and the rates that follow from it. */
import type { NodeStatus } from '../../node/status.ts';
import type { NodeProcess } from './node-process.ts';

/** Rates are over this long a past. */
const WINDOW_MS = 5_000;

interface Reading {
  readonly atMs: number;
  readonly height: number;
  readonly events: number;
}

export class Gauge {
  readonly #processes: readonly NodeProcess[];
  readonly #statuses = new Map<NodeProcess, NodeStatus>();
  #readings: Reading[] = [];

  constructor(processes: readonly NodeProcess[]) {
    this.#processes = processes;
  }

  /** Asks every process once, all at the same time; one that does not answer has no status. */
  async refresh(nowMs: number): Promise<void> {
    await Promise.all(
      this.#processes.map(async (process) => {
        const status = process.end === undefined ? await process.control.status().catch(() => undefined) : undefined;
        if (status === undefined) this.#statuses.delete(process);
        else this.#statuses.set(process, status);
      }),
    );
    const statuses = [...this.#statuses.values()];
    const height = Math.max(0, ...statuses.map((status) => status.height));
    this.#readings = [
      ...this.#readings.filter(({ atMs }) => nowMs - atMs <= WINDOW_MS),
      { atMs: nowMs, height, events: this.eventsCommitted() },
    ];
  }

  statusOf(process: NodeProcess): NodeStatus | undefined {
    return this.#statuses.get(process);
  }

  /** Events committed since the processes started, by the one that has seen most. */
  eventsCommitted(): number {
    return Math.max(0, ...[...this.#statuses.values()].map((status) => status.eventsCommitted));
  }

  rates(): { readonly commitsPerSecond: number; readonly eventsPerSecond: number } {
    const [first, last] = [this.#readings[0], this.#readings.at(-1)];
    if (first === undefined || last === undefined || last.atMs === first.atMs) {
      return { commitsPerSecond: 0, eventsPerSecond: 0 };
    }
    const seconds = (last.atMs - first.atMs) / 1000;
    return {
      commitsPerSecond: Math.max(0, last.height - first.height) / seconds,
      eventsPerSecond: Math.max(0, last.events - first.events) / seconds,
    };
  }
}
