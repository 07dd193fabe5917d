/**
 * What is between the instances: everything arrives a millisecond after it was sent, in the order of sending, or never,
 * as the scenario says.
 */
import { parseSides, instanceNames, type TwinsScenario } from './scenario.ts';
import type { Instance } from './instance.ts';

export const LATENCY_MS = 1;

interface Sides {
  readonly before: readonly number[];
  readonly after: readonly number[];
}

export class TwinsNetwork {
  readonly #firstRound: number;
  readonly #rounds: readonly Sides[];
  #arriving: (() => void)[] = [];
  #place = 0;
  #sent: (() => void)[] = [];
  /** From now on everything passes. */
  isHealed = false;
  nowMs: number;

  constructor(scenario: TwinsScenario, startMs: number) {
    const names = instanceNames(scenario);
    const parsed = new Map<string, readonly number[]>();
    const sidesOf = (text: string) => {
      const sides = parsed.get(text) ?? parseSides(text, names);
      parsed.set(text, sides);
      return sides;
    };
    this.#firstRound = scenario.firstRound;
    this.#rounds = scenario.rounds.map(({ before, after }) => ({ before: sidesOf(before), after: sidesOf(after) }));
    this.nowMs = startMs;
  }

  /** @param round that the message speaks of; of its sender, for what speaks of none */
  passes(from: Instance, to: Instance, round: number): boolean {
    const sides = this.isHealed ? undefined : this.#rounds[round - this.#firstRound];
    if (sides === undefined) return true;
    const side = from.gaveUpRound >= round ? sides.after : sides.before;
    return side[from.id] === side[to.id];
  }

  /** After the latency. */
  later(run: () => void): void {
    this.#sent.push(run);
  }

  /** Still in this millisecond. */
  now(run: () => void): void {
    this.#arriving.push(run);
  }

  /** Nothing is on its way. */
  get isEmpty(): boolean {
    return this.#sent.length === 0;
  }

  /** What happens next in this millisecond. */
  next(): (() => void) | undefined {
    return this.#place < this.#arriving.length ? this.#arriving[this.#place++] : undefined;
  }

  /** A millisecond later what was sent is there; the first of it. */
  arrive(): (() => void) | undefined {
    this.nowMs += LATENCY_MS;
    this.#arriving = this.#sent;
    this.#sent = [];
    this.#place = 0;
    return this.next();
  }
}
