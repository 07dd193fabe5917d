/**
 * What waits for the loop, first come first served. Whoever fills it has a share of its own, so that a flood by one
 * costs the others nothing. Everything that answers this node's own requests, one answer a request, is always taken.
 */

/** What an input takes of which share. */
export interface Share {
  /** Whose share, or of what kind. */
  readonly of: string | number;
  readonly weight: number;
  /** The most that may wait of this share. */
  readonly bound: number;
}

/** @returns null for an input that is taken whatever else waits */
export type ShareOf<I> = (input: I) => Share | null;

export class Inbox<I> {
  readonly #shareOf: ShareOf<I>;
  readonly #used = new Map<string | number, number>();
  #waiting: I[] = [];

  constructor(shareOf: ShareOf<I>) {
    this.#shareOf = shareOf;
  }

  get size(): number {
    return this.#waiting.length;
  }

  /** What waits of each share: more than its bound by what was put, and by one input that is larger than the bound. */
  get used(): ReadonlyMap<string | number, number> {
    return this.#used;
  }

  /** @returns false when there is no room: the input is dropped, as the network may drop it */
  offer(input: I): boolean {
    const share = this.#shareOf(input);
    if (share !== null) {
      const used = this.#used.get(share.of) ?? 0;
      // What is larger than its share gets in alone: it was bounded where it came in.
      if (used > 0 && used + share.weight > share.bound) return false;
      this.#count(share, 1);
    }
    this.#waiting.push(input);
    return true;
  }

  /** Takes it whatever else waits: a turn's own messages, as many as it makes. */
  put(input: I): void {
    const share = this.#shareOf(input);
    if (share !== null) this.#count(share, 1);
    this.#waiting.push(input);
  }

  take(most: number): readonly I[] {
    const taken = this.#waiting.slice(0, most);
    this.#waiting = this.#waiting.slice(most);
    for (const input of taken) {
      const share = this.#shareOf(input);
      if (share !== null) this.#count(share, -1);
    }
    return taken;
  }

  #count({ of, weight }: Share, step: 1 | -1): void {
    const used = (this.#used.get(of) ?? 0) + step * weight;
    if (used > 0) this.#used.set(of, used);
    else this.#used.delete(of);
  }
}
