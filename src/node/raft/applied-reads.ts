/** Reads that wait until the state machine holds what they must see. */
export class AppliedReads {
  #waiting: { readonly index: number; readonly resolve: () => void }[] = [];
  #applied: number;
  #isClosed = false;

  constructor(applied: number) {
    this.#applied = applied;
  }

  /** Settles when everything up to the index is applied, or at the end. */
  upTo(index: number): Promise<void> {
    if (index <= this.#applied || this.#isClosed) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting.push({ index, resolve });
    });
  }

  applied(index: number): void {
    this.#applied = Math.max(this.#applied, index);
    if (this.#waiting.length === 0) return;
    const ready = this.#waiting.filter((read) => read.index <= this.#applied);
    this.#waiting = this.#waiting.filter((read) => read.index > this.#applied);
    for (const { resolve } of ready) resolve();
  }

  close(): void {
    this.#isClosed = true;
    for (const { resolve } of this.#waiting.splice(0)) resolve();
  }
}
