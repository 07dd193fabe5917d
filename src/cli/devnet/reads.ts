/** Verified reads by the observer: some all the time, and one of every node at the end. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Random } from '../../base/random.ts';
import { CodedError } from '../../base/result.ts';
import type { ControlClient } from '../../node/control-client.ts';
import type { ReadReport } from '../../node/read-report.ts';
import type { MissingEvent } from './summary.ts';

/** Reads at once in the check of all nodes. */
const PARALLEL_READS = 8;

export class ObserverReads {
  readonly #observer: ControlClient;
  #ok = 0;
  #failed = 0;
  #firstFailure: string | null = null;

  constructor(observer: ControlClient) {
    this.#observer = observer;
  }

  get ok(): number {
    return this.#ok;
  }

  get failed(): number {
    return this.#failed;
  }

  /** Code and message of the first read that failed. */
  get firstFailure(): string | null {
    return this.#firstFailure;
  }

  /** One counted read. @returns undefined when it failed */
  async read(peerId: string): Promise<ReadReport | undefined> {
    try {
      const report = await this.#observer.read(peerId);
      this.#ok++;
      return report;
    } catch (error) {
      this.#failed++;
      this.#firstFailure ??= `${error instanceof CodedError ? error.code : 'unexpected'}: ${(error as Error).message}`;
      return undefined;
    }
  }

  /** Reads of nodes picked at random, until the signal aborts. */
  async run(peerIds: readonly string[], perSecond: number, random: Random, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await delay(1000 / perSecond, undefined, { signal }).catch(() => undefined);
      if (!signal.aborted) await this.read(random.pick(peerIds));
    }
  }

  /** Looks for what was acknowledged in the verified record of each node. */
  async findMissing(acknowledgedSeq: ReadonlyMap<string, number>): Promise<{
    readonly missing: readonly MissingEvent[];
    readonly unchecked: number;
  }> {
    const missing: MissingEvent[] = [];
    let unchecked = 0;
    const reports = await this.readAll([...acknowledgedSeq.keys()]);
    for (const [peerId, seq] of acknowledgedSeq) {
      const report = reports.get(peerId);
      if (report === undefined) unchecked++;
      else if ((report.lastSeq ?? -1) < seq) missing.push({ peerId, acknowledgedSeq: seq, recordSeq: report.lastSeq });
    }
    return { missing, unchecked };
  }

  /** One counted read of each; those that failed are absent from the answer. */
  async readAll(peerIds: readonly string[]): Promise<ReadonlyMap<string, ReadReport>> {
    const reports = new Map<string, ReadReport>();
    const queue = peerIds.values();
    const worker = async (): Promise<void> => {
      for (const peerId of queue) {
        const report = await this.read(peerId);
        if (report !== undefined) reports.set(peerId, report);
      }
    };
    await Promise.all(Array.from({ length: PARALLEL_READS }, worker));
    return reports;
  }
}
