/**
 * What waits for the loop, first come first served. Each validator has its own share for messages, so that a flood by
 * one costs the others nothing. Everything else answers this node's own requests or comes from queues with bounds of
 * their own (submissions, sync), and is always taken.
 */
import type { Input, ValidatorIndex } from '../consensus/engine.ts';

export class Inbox<M, R> {
  readonly #maxPerPeer: number;
  readonly #perPeer = new Map<ValidatorIndex, number>();
  #waiting: Input<M, R>[] = [];

  constructor(maxPerPeer: number) {
    this.#maxPerPeer = maxPerPeer;
  }

  get size(): number {
    return this.#waiting.length;
  }

  offer(input: Input<M, R>): boolean {
    if (input.kind === 'received') {
      const share = this.#perPeer.get(input.from) ?? 0;
      if (share >= this.#maxPerPeer) return false;
      this.#perPeer.set(input.from, share + 1);
    }
    this.#waiting.push(input);
    return true;
  }

  take(most: number): readonly Input<M, R>[] {
    const taken = this.#waiting.slice(0, most);
    this.#waiting = this.#waiting.slice(most);
    for (const input of taken) {
      if (input.kind === 'received') this.#perPeer.set(input.from, (this.#perPeer.get(input.from) as number) - 1);
    }
    return taken;
  }
}
