/**
 * Proposals on their way: gathered until the engine's next turn, so that what is proposed together is one input, and then
 * waiting for what the state machine makes of them. No promise an entry: a proposer is called back.
 */
import { refuse, type Refusal, type Result } from '../../base/result.ts';
import type { Proposal } from '../../raft/contract.ts';

/** What became of a proposal, once. Refusals: those of the engine, and `stopping`. */
export type Settle<O> = (outcome: Result<Applied<O>>) => void;

export interface Applied<O> {
  readonly index: number;
  readonly outcome: O;
}

interface Waiting<O> {
  readonly number: number;
  /** 0 before the engine took it. */
  index: number;
  term: number;
  settle: Settle<O> | null;
}

/** Into one input of the engine. */
const MAX_TOGETHER = 1024;

export class Proposals<O> {
  readonly #maxGathered: number;
  #number = 0;
  #gathered: Proposal[] = [];
  readonly #waiting = new Map<number, Waiting<O>>();
  /** Those with an index, which ascend. */
  #logged: Waiting<O>[] = [];
  #head = 0;

  /** @param maxGathered that wait for a turn of the engine; its own bounds are for what it took */
  constructor(maxGathered: number) {
    this.#maxGathered = maxGathered;
  }

  get gathered(): number {
    return this.#gathered.length;
  }

  /** Gathered, or in the log and not applied. */
  get waiting(): number {
    return this.#waiting.size;
  }

  add(type: Proposal['type'], data: Uint8Array | null, settle: Settle<O>): void {
    if (this.#gathered.length >= this.#maxGathered) {
      settle(refuse('busy', 'too much waits to be proposed', { limit: this.#maxGathered }));
      return;
    }
    const number = ++this.#number;
    this.#waiting.set(number, { number, index: 0, term: 0, settle });
    this.#gathered.push({ number, type, data });
  }

  /** For the engine's next turn. */
  take(): readonly Proposal[] {
    const taken = this.#gathered;
    if (taken.length <= MAX_TOGETHER) {
      this.#gathered = [];
      return taken;
    }
    this.#gathered = taken.slice(MAX_TOGETHER);
    return taken.slice(0, MAX_TOGETHER);
  }

  proposed(number: number, index: number, term: number): void {
    const waiting = this.#waiting.get(number);
    if (waiting === undefined) return;
    waiting.index = index;
    waiting.term = term;
    this.#forgetFrom(index);
    this.#logged.push(waiting);
  }

  refused(number: number, refusal: Refusal): void {
    const waiting = this.#waiting.get(number);
    if (waiting !== undefined) this.#settle(waiting, { ok: false, refusal });
  }

  /** The entry at this index was applied: whoever proposed it hears the outcome. Indexes ascend. */
  applied(index: number, term: number, outcome: O): void {
    for (;;) {
      const first = this.#logged[this.#head];
      if (first === undefined || first.index > index) return;
      this.#head++;
      if (first.index === index && first.term === term) this.#settle(first, { ok: true, value: { index, outcome } });
      if (this.#head >= 1024 && this.#head * 2 >= this.#logged.length) {
        this.#logged = this.#logged.slice(this.#head);
        this.#head = 0;
      }
    }
  }

  close(refusal: Refusal): void {
    this.#gathered = [];
    this.#logged = [];
    this.#head = 0;
    for (const waiting of [...this.#waiting.values()]) this.#settle(waiting, { ok: false, refusal });
  }

  /** The log was cut, since this server led before: what was proposed for these indexes then was refused, and is not applied. */
  #forgetFrom(index: number): void {
    while (this.#logged.length > this.#head && (this.#logged.at(-1)?.index ?? 0) >= index) this.#logged.pop();
  }

  #settle(waiting: Waiting<O>, outcome: Result<Applied<O>>): void {
    const { settle } = waiting;
    this.#waiting.delete(waiting.number);
    // An entry that was refused may be applied all the same: nobody waits for it then.
    waiting.settle = null;
    settle?.(outcome);
  }
}
