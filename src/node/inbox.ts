/**
 * What waits for the loop, first come first served. Each validator has its own share for messages, so that a flood by
 * one costs the others nothing, and submitted events have a bound in all. Everything else answers this node's own
 * requests, one answer a request, and is always taken.
 */
import type { Input, ValidatorIndex } from '../consensus/engine.ts';

export interface InboxBounds {
  /** Messages of one validator. */
  readonly maxMessagesPerPeer: number;
  readonly maxEvents: number;
}

export class Inbox<M, R> {
  readonly #bounds: InboxBounds;
  readonly #messages = new Map<ValidatorIndex, number>();
  #events = 0;
  #waiting: Input<M, R>[] = [];

  constructor(bounds: InboxBounds) {
    this.#bounds = bounds;
  }

  get size(): number {
    return this.#waiting.length;
  }

  /** @returns false when there is no room: the input is dropped, as the network may drop it */
  offer(input: Input<M, R>): boolean {
    const { maxEvents, maxMessagesPerPeer } = this.#bounds;
    if (input.kind === 'received' && (this.#messages.get(input.from) ?? 0) >= maxMessagesPerPeer) return false;
    // A batch larger than the bound gets in alone: it was bounded where it came in.
    if (input.kind === 'submitted' && this.#events > 0 && this.#events + input.events.length > maxEvents) return false;
    this.put(input);
    return true;
  }

  /** Takes it whatever else waits: a turn's own messages, as many as it makes. */
  put(input: Input<M, R>): void {
    this.#count(input, 1);
    this.#waiting.push(input);
  }

  take(most: number): readonly Input<M, R>[] {
    const taken = this.#waiting.slice(0, most);
    this.#waiting = this.#waiting.slice(most);
    for (const input of taken) this.#count(input, -1);
    return taken;
  }

  #count(input: Input<M, R>, step: 1 | -1): void {
    if (input.kind === 'received') this.#messages.set(input.from, (this.#messages.get(input.from) ?? 0) + step);
    if (input.kind === 'submitted') this.#events += step * input.events.length;
  }
}
