/**
 * Time that only moves forward.
 *
 * An engine is told the node's wall clock, which an operator or a time server may set back at any moment. Durations are
 * measured on `elapsedMs`, which adds up the steps forward and leaves out the steps back: after a step back a timer
 * starts no hour late, it merely loses the part of its wait that fell into that step.
 */
export class ForwardClock {
  #wallMs: number | null = null;
  #elapsedMs = 0;

  /** @param nowMs the node's clock, unix milliseconds */
  observe(nowMs: number): void {
    if (this.#wallMs !== null) this.#elapsedMs += Math.max(0, nowMs - this.#wallMs);
    this.#wallMs = nowMs;
  }

  /** Milliseconds since the first observation. */
  get elapsedMs(): number {
    return this.#elapsedMs;
  }

  /** The node's clock as last observed, unix milliseconds. */
  get wallMs(): number {
    return this.#wallMs ?? 0;
  }

  /** When the node's clock shows that `elapsedMs` has come, if nobody sets it. */
  wallOf(elapsedMs: number): number {
    return this.wallMs + (elapsedMs - this.#elapsedMs);
  }
}
