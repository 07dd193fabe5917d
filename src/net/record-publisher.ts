/**
 * Puts records into the DHT at a bounded pace: the newest value of a key takes the place of one that waits, and what is
 * kept by others only for two days is renewed in time.
 */
import type { PutOutcome } from './dht.ts';
import { recordKeyText, type RecordKey } from './record-rules.ts';

export interface RecordPublisherOptions {
  /** The value to publish, made when its turn comes; undefined when there is no longer one. */
  readonly currentValue: (key: RecordKey) => Promise<Uint8Array | undefined> | Uint8Array | undefined;
  readonly put: (key: RecordKey, value: Uint8Array) => Promise<PutOutcome>;
  /** What this node renews. */
  readonly renewed?: () => Iterable<RecordKey> | AsyncIterable<RecordKey>;
  readonly onOutcome?: (key: RecordKey, outcome: PutOutcome) => void;
  readonly perSecond?: number;
  readonly renewEveryMs?: number;
  /** Keys that wait; beyond it new ones are dropped, and come back with the next renewal. */
  readonly maxWaiting?: number;
  /** Calls back once after the delay; returns how to call it off. */
  readonly schedule?: (callback: () => void, delayMs: number) => () => void;
}

/** A put costs each of those that it reaches some milliseconds, as streams and their negotiation are its own. */
const DEFAULT_PER_SECOND = 2;
const DEFAULT_RENEW_EVERY_MS = 12 * 3_600_000;
const DEFAULT_MAX_WAITING = 100_000;

export class RecordPublisher {
  readonly #options: RecordPublisherOptions;
  readonly #waiting = new Map<string, RecordKey>();
  readonly #schedule: (callback: () => void, delayMs: number) => () => void;
  #cancelNext: (() => void) | undefined;
  #cancelRenewal: (() => void) | undefined;
  #busy = false;
  #running = false;

  constructor(options: RecordPublisherOptions) {
    this.#options = options;
    this.#schedule = options.schedule ?? scheduleTimer;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  start(): void {
    this.#running = true;
    this.#planRenewal();
    this.#planNext();
  }

  stop(): void {
    this.#running = false;
    this.#cancelNext?.();
    this.#cancelRenewal?.();
    this.#cancelNext = this.#cancelRenewal = undefined;
  }

  /** @returns false when too many wait already */
  publish(key: RecordKey): boolean {
    const text = recordKeyText(key);
    const full = this.#waiting.size >= (this.#options.maxWaiting ?? DEFAULT_MAX_WAITING);
    if (full && !this.#waiting.has(text)) return false;
    this.#waiting.set(text, key);
    this.#planNext();
    return true;
  }

  #planNext(): void {
    if (!this.#running || this.#busy || this.#cancelNext !== undefined || this.#waiting.size === 0) return;
    const delayMs = 1000 / (this.#options.perSecond ?? DEFAULT_PER_SECOND);
    this.#cancelNext = this.#schedule(() => {
      this.#cancelNext = undefined;
      void this.#publishNext();
    }, delayMs);
  }

  async #publishNext(): Promise<void> {
    const [next] = this.#waiting;
    if (next === undefined) return;
    const [text, key] = next;
    this.#waiting.delete(text);
    this.#busy = true;
    try {
      const value = await this.#options.currentValue(key);
      if (value === undefined) return;
      const outcome = await this.#options.put(key, value);
      this.#options.onOutcome?.(key, outcome);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#options.onOutcome?.(key, { stored: 0, failed: 1, reason });
    } finally {
      this.#busy = false;
      this.#planNext();
    }
  }

  #planRenewal(): void {
    if (!this.#running || this.#options.renewed === undefined) return;
    const { renewed, renewEveryMs = DEFAULT_RENEW_EVERY_MS } = this.#options;
    this.#cancelRenewal = this.#schedule(() => {
      this.#planRenewal();
      void this.#renew(renewed());
    }, renewEveryMs);
  }

  async #renew(keys: Iterable<RecordKey> | AsyncIterable<RecordKey>): Promise<void> {
    for await (const key of keys) if (!this.#running || !this.publish(key)) return;
  }
}

function scheduleTimer(callback: () => void, delayMs: number): () => void {
  const timer = setTimeout(callback, delayMs);
  timer.unref();
  return () => clearTimeout(timer);
}
