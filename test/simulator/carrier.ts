/**
 * Carries what is sent between nodes: delayed, lost, doubled, reordered or cut off as the settings say, each time by a
 * die of its own (`dice.ts`). What it carries, and what an arrival is, is the business of the network that uses it.
 */
import { fractionOf } from './dice.ts';
import { CALM, isCut, ruleFor, type KindRule, type NetworkSettings, type Passage } from './network-settings.ts';
import type { Owner, Scheduler } from './scheduler.ts';
import type { Tally } from './tally.ts';

export interface CarrierOptions<K extends string> {
  readonly scheduler: Scheduler;
  readonly seed: number;
  readonly tally: Tally;
  /** At most sixteen. Their order is part of the dice. */
  readonly kinds: readonly K[];
}

export class Carrier<K extends string> {
  settings: NetworkSettings<K> = CALM;
  readonly #options: CarrierOptions<K>;
  /** Of every passage so far, so that two alike roll different dice. */
  readonly #counts = new Map<number, number>();
  /** When the last of a link arrives. */
  readonly #lastArrivalMs = new Map<number, number>();

  constructor(options: CarrierOptions<K>) {
    this.#options = options;
  }

  isCut(from: number, to: number): boolean {
    return isCut(this.settings, from, to);
  }

  /** Brings something over, or not. @param receiver whose work its arrival is */
  carry(passage: Passage<K>, receiver: Owner | null, arrive: () => void): void {
    const { from, to } = passage;
    const fate = this.fateOf(passage);
    if (typeof fate === 'string') return;
    for (const delay of fate) {
      const delayMs = this.settings.inOrder ? this.#inOrder(from * 256 + to, delay) : delay;
      this.#options.scheduler.after(delayMs, receiver, arrive);
    }
  }

  /** What becomes of it: it meets a cut, it is lost, or it takes so long, each of its copies. */
  fateOf(passage: Passage<K>): 'cut' | 'lost' | readonly number[] {
    const { from, kind, to } = passage;
    const { settings } = this;
    const { tally } = this.#options;
    if (isCut(settings, from, to)) {
      tally.count('network: cut off');
      return 'cut';
    }
    const rule = ruleFor(settings, passage);
    const roll = this.#dice(passage);
    if (rule !== undefined && roll(0) < rule.loss) {
      tally.count(`network: ${kind} of a kind lost`);
      return 'lost';
    }
    if (settings.loss > 0 && roll(1) < settings.loss) {
      tally.count('network: lost');
      return 'lost';
    }
    const copies = settings.duplication > 0 && roll(2) < settings.duplication ? 2 : 1;
    if (copies === 2) tally.count('network: doubled');
    const first = this.#delayMs(kind, rule, roll, 0);
    return copies === 1 ? [first] : [first, this.#delayMs(kind, rule, roll, 1)];
  }

  #delayMs(kind: K, rule: Pick<KindRule, 'extraMs'> | undefined, roll: (use: number) => number, copy: number): number {
    const { settings } = this;
    const { tally } = this.#options;
    const [least, most] = settings.delayMs;
    let delayMs = least + roll(3 + copy) * (most - least) + (rule?.extraMs ?? 0);
    if (rule !== undefined && rule.extraMs > 0) tally.count(`network: ${kind} of a kind delayed`);
    if (settings.late.chance > 0 && roll(5 + copy) < settings.late.chance) {
      delayMs += roll(7 + copy) * settings.late.mostMs;
      tally.count('network: late');
    }
    return delayMs;
  }

  #inOrder(link: number, delayMs: number): number {
    const { nowMs } = this.#options.scheduler;
    const arrivalMs = Math.max(nowMs + delayMs, this.#lastArrivalMs.get(link) ?? 0);
    this.#lastArrivalMs.set(link, arrivalMs);
    return arrivalMs - nowMs;
  }

  #dice({ from, kind, round, to }: Passage<K>): (use: number) => number {
    const place = this.#options.kinds.indexOf(kind);
    const key = (from * 256 + to) * 16 + place;
    const count = (this.#counts.get(key) ?? 0) + 1;
    this.#counts.set(key, count);
    return (use) => fractionOf(this.#options.seed, key, round, count, use);
  }
}
