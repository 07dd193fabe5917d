/**
 * The effects of one step, in the order that keeps the law of the contract.
 *
 *     calls and answers that wait for nothing  ->  one persist  ->  what waits for it, commits, news
 *
 * What promises nothing is listed first, so that a leader's entries are on their way before its disk begins to write. All
 * that a step writes is one write.
 */
import type { Refusal } from '../base/result.ts';
import type { HardState, RaftEffect, When } from './contract.ts';
import type { Entry, RaftResponse, ServerId } from './messages.ts';

type CallEffect = Extract<RaftEffect, { kind: 'call' }>;

export class Turn {
  readonly #first: RaftEffect[] = [];
  readonly #after: RaftEffect[] = [];
  #entries: Entry[] = [];
  #hardState: HardState | null = null;
  #truncateFrom: number | null = null;

  call(effect: CallEffect): void {
    this.#list(effect.when).push(effect);
  }

  answer(ask: number, when: When, response: RaftResponse): void {
    this.#list(when).push({ kind: 'answer', when, ask, response });
  }

  persistHardState(hardState: HardState): void {
    this.#hardState = hardState;
  }

  persistEntry(entry: Entry): void {
    this.#entries.push(entry);
  }

  /** Entries from this index on go, of this step's as well. */
  persistCut(index: number): void {
    this.#truncateFrom = Math.min(this.#truncateFrom ?? index, index);
    this.#entries = this.#entries.filter((entry) => entry.index < index);
  }

  /** Of no promise to anybody else, or listed behind the persist because it is of later concern. */
  tell(effect: Exclude<RaftEffect, { kind: 'call' | 'answer' | 'persist' }>): void {
    this.#after.push(effect);
  }

  refuse(from: ServerId | null, refusal: Refusal): void {
    this.#after.push({ kind: 'refused', from, refusal });
  }

  get changesHardState(): boolean {
    return this.#hardState !== null;
  }

  get persists(): boolean {
    return this.#hardState !== null || this.#truncateFrom !== null || this.#entries.length > 0;
  }

  /** Ends the turn. @param persist the number of its write, where it has one */
  effects(persist: number): readonly RaftEffect[] {
    if (!this.persists) {
      if (this.#after.length === 0) return this.#first;
      return this.#first.length === 0 ? this.#after : this.#first.concat(this.#after);
    }
    const effects = this.#first;
    effects.push({
      kind: 'persist',
      persist,
      hardState: this.#hardState,
      truncateFrom: this.#truncateFrom,
      entries: this.#entries,
    });
    for (const effect of this.#after) effects.push(effect);
    return effects;
  }

  #list(when: When): RaftEffect[] {
    return when === 'now' ? this.#first : this.#after;
  }
}
