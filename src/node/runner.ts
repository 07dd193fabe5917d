/**
 * Turns the loop when there is something to do: at once after an input, else when the engine wants to be woken. An idle
 * node sets no timer and uses no processor time.
 */
import type { Loop } from './loop.ts';

/** Longer sleeps are slept in parts: the clock may have stepped in the meantime. */
const MAX_SLEEP_MS = 30_000;

interface Tick {
  readonly kind: 'tick';
}

/** @template I inputs of the engine; one of them is a tick */
export class Runner<I, E> {
  readonly #loop: Loop<I | Tick, E>;
  readonly #nowMs: () => number;
  readonly #onFatal: (error: unknown) => void;
  #timer: NodeJS.Timeout | null = null;
  #scheduled = false;
  #turning: Promise<void> | null = null;
  #stopped = false;

  /** @param onFatal a turn failed: what is on disk is unknown, and the process must stop */
  constructor(loop: Loop<I | Tick, E>, nowMs: () => number, onFatal: (error: unknown) => void) {
    this.#loop = loop;
    this.#nowMs = nowMs;
    this.#onFatal = onFatal;
  }

  /** @returns false when the input was dropped */
  offer(input: I | Tick): boolean {
    if (this.#stopped) return false;
    const taken = this.#loop.offer(input);
    if (taken) this.#schedule();
    return taken;
  }

  /** What waits for the loop, by share. */
  get waiting(): ReadonlyMap<string | number, number> {
    return this.#loop.waiting;
  }

  /** Ends after the turn under way, and what it gave to the disk. */
  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#turning;
    await this.#loop.settled();
  }

  /** Something beside the loop failed: it stops as after a turn that failed. */
  fail(error: unknown): void {
    if (this.#stopped) return;
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#onFatal(error);
  }

  /** After the input and output events of this tick, so that one turn takes all that came in together. */
  #schedule(): void {
    if (this.#scheduled || this.#turning !== null) return;
    this.#scheduled = true;
    setImmediate(() => {
      if (!this.#stopped) this.#turning = this.#turns();
      // Only now: an input that comes in the middle of the first step is found by the turns that are under way.
      this.#scheduled = false;
    });
  }

  async #turns(): Promise<void> {
    try {
      while (!this.#stopped && this.#loop.hasWork()) {
        await this.#loop.turn();
        if (this.#loop.isBeside) break;
      }
    } catch (error) {
      this.fail(error);
    }
    this.#turning = null;
    if (this.#stopped) return;
    // An input may have come between the last look and now.
    if (this.#loop.hasWork()) this.#schedule();
    else this.#sleep();
  }

  #sleep(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const wakeAtMs = this.#loop.wakeAtMs();
    if (wakeAtMs === undefined) return;
    const delayMs = Math.min(Math.max(0, wakeAtMs - this.#nowMs()), MAX_SLEEP_MS);
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.offer({ kind: 'tick' });
    }, delayMs);
  }
}
