/** How many exchanges may be under way at once, those that do not keep their time not counted. */
export class UnderWay {
  readonly #max: number;
  readonly #countedMs: number;
  #count = 0;

  /** @param countedMs as long as one counts at most: one that hangs holds no other up for longer */
  constructor(max: number, countedMs: number) {
    this.#max = max;
    this.#countedMs = countedMs;
  }

  get count(): number {
    return this.#count;
  }

  /** @returns what ends it, once or more often; undefined: there are too many */
  enter(): (() => void) | undefined {
    if (this.#count >= this.#max) return undefined;
    this.#count++;
    let isCounted = true;
    const leave = (): void => {
      clearTimeout(timer);
      if (isCounted) this.#count--;
      isCounted = false;
    };
    const timer = setTimeout(leave, this.#countedMs).unref();
    return leave;
  }
}
