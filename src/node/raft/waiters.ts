/** Who waits until something has come so far: an index that is applied, a height whose block is durable. */

interface Waiter {
  readonly upTo: number;
  readonly settle: (isReached: boolean) => void;
}

export class Waiters {
  #waiting: Waiter[] = [];
  #reached: number;
  #isClosed = false;

  constructor(reached: number) {
    this.#reached = reached;
  }

  /**
   * Settles once it has come so far, at the end, or when the time is over.
   *
   * @param withinMs left out: as long as it takes
   * @returns whether it has come so far
   */
  upTo(point: number, withinMs?: number): Promise<boolean> {
    if (point <= this.#reached || this.#isClosed) return Promise.resolve(point <= this.#reached);
    return new Promise((resolve) => {
      let timer: NodeJS.Timeout | undefined;
      const waiter: Waiter = {
        upTo: point,
        settle: (isReached) => {
          clearTimeout(timer);
          resolve(isReached);
        },
      };
      this.#waiting.push(waiter);
      if (withinMs !== undefined) timer = setTimeout(() => this.#giveUp(waiter), withinMs);
    });
  }

  reached(point: number): void {
    this.#reached = Math.max(this.#reached, point);
    if (this.#waiting.length === 0) return;
    const ready = this.#waiting.filter(({ upTo }) => upTo <= this.#reached);
    this.#waiting = this.#waiting.filter(({ upTo }) => upTo > this.#reached);
    for (const { settle } of ready) settle(true);
  }

  close(): void {
    this.#isClosed = true;
    for (const { settle } of this.#waiting.splice(0)) settle(false);
  }

  #giveUp(waiter: Waiter): void {
    this.#waiting = this.#waiting.filter((other) => other !== waiter);
    waiter.settle(false);
  }
}
