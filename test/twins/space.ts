/**
 * The scenarios of a size, enumerated: Twins, after Bano, Sonnino, Chursin, Perelman, Li, Ching and Malkhi, "Twins: BFT
 * systems made robust", OPODIS 2021.
 *
 * A scenario of the paper is a choice of twins, and for every round a partition of all instances and a leader. Here:
 *
 * - Partitions: into `mostSides` sides at most. The paper has one for a round; with `phases: 2` a round has one until its
 *   sender gives up on it and another from then on. (Votes travel beside timeouts here, so that with one partition a round
 *   whoever gives up on a block tells those that wait who voted for it; only a network that changes within the round
 *   can hide a certificate.)
 * - Leaders: this protocol's leader is a fixed function of the round, everybody in turn, so it is not chosen. What the
 *   paper's choice varies is the place of the twins and of each correct validator in the order of leaders. Turning the
 *   ring of validators and the rounds together changes nothing, so a fixed first round with every choice of twins
 *   has all those places. A leader twice in a row, or another order, is a longer scenario, in which the leaders that are
 *   not wanted are alone in their rounds: the others give those up by a timeout certificate. `firstRound` chooses what
 *   things start upon: 1 genesis, 2 a certified block, 3 a committed one.
 *
 * Two scenarios that differ by a renaming (`symmetry.ts`) are one; the first in the order of enumeration is kept. And
 * scenarios that do nothing that another one does not are left out:
 *
 * - A round is left by nobody when no instance hears a quorum of validators in it, both phases together: what comes after
 *   it never comes. Only the last round may be such a one.
 * - A last round that is whole is the healed network that comes after every scenario.
 */
import { Random } from '../../src/base/random.ts';
import { faultsOf, quorumOf } from '../../src/qc/validator-set.ts';
import { seedOf } from '../simulator/dice.ts';
import { partitionsOf, renamed, subsetsOf } from './partitions.ts';
import { formatSides, instanceNames, type TwinsScenario } from './scenario.ts';
import { differentTwins, namedValidators, symmetriesOf } from './symmetry.ts';

export interface SpaceOptions {
  readonly n: number;
  readonly commitDepth: 2 | 3;
  /** Of a scenario. */
  readonly rounds: number;
  readonly phases: 1 | 2;
  readonly firstRound: number;
  readonly mostSides: number;
}

export interface SpaceSize {
  /** Every choice of twins and partitions. */
  readonly all: bigint;
  /** Without those that do nothing new. */
  readonly useful: bigint;
  /** Of these, one of each kind: what is enumerated. */
  readonly different: bigint;
}

/** Everything about one choice of twins. A round is a number: before * partitions + after. */
interface Cast {
  readonly twins: readonly number[];
  /** Images of the partitions under each symmetry but the identity. */
  readonly images: readonly Int32Array[];
  readonly names: readonly string[];
  /** By partition and instance: the set of validators on its side, as bits. */
  readonly heard: readonly (readonly number[])[];
  /** Partitions that a sample prefers: one instance is alone; or a quorum is just there. */
  readonly lone: readonly number[];
  readonly close: readonly number[];
}

/** A sampled scenario starts on genesis, a certified block or a committed one. */
const STARTS = [1, 2, 3];

export class TwinsSpace {
  readonly #options: SpaceOptions;
  readonly #faults: number;
  readonly #quorum: number;
  readonly #partitions: readonly (readonly number[])[];
  readonly #casts = new Map<string, Cast>();

  constructor(options: SpaceOptions) {
    const { n, mostSides } = options;
    this.#options = options;
    this.#faults = faultsOf(n);
    this.#quorum = quorumOf(n);
    this.#partitions = partitionsOf(n + this.#faults, mostSides);
  }

  /** In closed form: orbits by the lemma of Burnside, as the choices of a scenario's rounds do not depend on each other. */
  size(): SpaceSize {
    const { n, rounds, phases } = this.#options;
    const everybody = Array.from({ length: n }, (_, index) => index);
    const allTwins = subsetsOf(everybody, this.#faults);
    const all = BigInt(allTwins.length) * BigInt(this.#partitions.length ** phases) ** BigInt(rounds);
    let useful = 0n;
    for (const twins of allTwins) {
      const cast = this.#cast(twins);
      useful += this.#sequences(this.#inner(cast).length, this.#last().length);
    }
    let different = 0n;
    for (const twins of this.#differentTwins()) {
      const cast = this.#cast(twins);
      const [inner, last] = [this.#inner(cast), this.#last()];
      let fixed = this.#sequences(inner.length, last.length);
      for (const image of cast.images) {
        const isFixed = (round: number) => this.#imageOf(round, image) === round;
        fixed += this.#sequences(inner.filter(isFixed).length, last.filter(isFixed).length);
      }
      different += fixed / BigInt(cast.images.length + 1);
    }
    return { all, useful, different };
  }

  /** One of each kind, always in the same order. */
  *scenarios(): Generator<TwinsScenario> {
    const { rounds } = this.#options;
    for (const twins of this.#differentTwins()) {
      const cast = this.#cast(twins);
      const choices = Array.from({ length: rounds }, (_, i) => (i === rounds - 1 ? this.#last() : this.#inner(cast)));
      for (const sequence of sequencesOf(choices)) {
        if (this.#isFirstOfItsKind(sequence, cast)) yield this.#scenario(cast, sequence, this.#options.firstRound);
      }
    }
  }

  /**
   * The scenario of this number in the sequence that belongs to the seed. Drawn evenly, most partitions only stop
   * everybody, and what leads to trouble is a network that lets a quorum through, here one and then another. So a
   * division lasts into the next round half of the time; of those that come anew one in six is whole, half of the others
   * are two sides of which the larger just has a quorum, a quarter leaves one instance alone, and a quarter is any.
   */
  sample(seed: number, number: number): TwinsScenario {
    const { n, rounds, phases } = this.#options;
    const random = new Random(seedOf(seed, 7, number));
    const twins = random
      .shuffled(Array.from({ length: n }, (_, index) => index))
      .slice(0, this.#faults)
      .sort((a, b) => a - b);
    const cast = this.#cast(twins);
    let division = this.#draw(random, cast);
    const sequence: number[] = [];
    while (sequence.length < rounds) {
      const before = random.chance(1 / 2) ? division : this.#draw(random, cast);
      const after = phases === 1 || random.chance(1 / 4) ? before : this.#draw(random, cast);
      const isLast = sequence.length === rounds - 1;
      if (isLast ? before + after === 0 : !this.#isLeft(cast, before, after)) {
        division = this.#draw(random, cast);
        continue;
      }
      sequence.push(this.#roundOf(before, after));
      division = after;
    }
    return this.#scenario(cast, sequence, random.pick(STARTS));
  }

  #draw(random: Random, { lone, close }: Cast): number {
    if (random.chance(1 / 6)) return 0;
    const kind = random.below(4);
    if (kind === 3) return random.below(this.#partitions.length);
    return random.pick(kind === 2 ? lone : close);
  }

  #differentTwins(): readonly (readonly number[])[] {
    const { n, firstRound, rounds } = this.#options;
    return differentTwins(n, this.#faults, namedValidators(n, firstRound, rounds));
  }

  #cast(twins: readonly number[]): Cast {
    const key = twins.join();
    const known = this.#casts.get(key) ?? this.#makeCast(twins);
    this.#casts.set(key, known);
    return known;
  }

  #makeCast(twins: readonly number[]): Cast {
    const { n, firstRound, rounds } = this.#options;
    const validatorOf = (id: number) => (id < n ? id : (twins[id - n] as number));
    const symmetries = symmetriesOf(n, twins, namedValidators(n, firstRound, rounds)).slice(1);
    const numbers = new Map(this.#partitions.map((partition, number) => [partition.join(), number]));
    const heard = this.#partitions.map((partition) =>
      partition.map((mine) =>
        partition.reduce((bits, side, id) => (side === mine ? bits | (1 << validatorOf(id)) : bits), 0),
      ),
    );
    const all = this.#partitions.map((_, number) => number);
    const halves = all.filter((number) => Math.max(...(this.#partitions[number] ?? [])) === 1);
    const most = (number: number) => Math.max(...(heard[number] ?? []).map(bitsIn));
    return {
      twins,
      names: instanceNames({ n, twins }),
      images: symmetries.map((permutation) =>
        Int32Array.from(this.#partitions, (partition) => numbers.get(renamed(partition, permutation).join()) as number),
      ),
      heard,
      lone: halves.filter((number) => isLoneSplit(this.#partitions[number] ?? [])),
      close: halves.filter((number) => most(number) === this.#quorum),
    };
  }

  #roundOf(before: number, after: number): number {
    return before * this.#partitions.length + after;
  }

  #imageOf(round: number, image: Int32Array): number {
    const count = this.#partitions.length;
    return this.#roundOf(image[Math.floor(round / count)] as number, image[round % count] as number);
  }

  /** What a round that is not the last may be. */
  #inner(cast: Cast): number[] {
    return this.#rounds((before, after) => this.#isLeft(cast, before, after));
  }

  #last(): number[] {
    return this.#rounds((before, after) => before + after > 0);
  }

  #rounds(accepts: (before: number, after: number) => boolean): number[] {
    const { phases } = this.#options;
    const found: number[] = [];
    for (let before = 0; before < this.#partitions.length; before++) {
      for (let after = 0; after < this.#partitions.length; after++) {
        if (phases === 1 && after !== before) continue;
        if (accepts(before, after)) found.push(this.#roundOf(before, after));
      }
    }
    return found;
  }

  /** Some instance hears a quorum. */
  #isLeft({ heard }: Cast, before: number, after: number): boolean {
    const [first, then] = [heard[before] ?? [], heard[after] ?? []];
    return first.some((bits, id) => bitsIn(bits | (then[id] ?? 0)) >= this.#quorum);
  }

  #sequences(inner: number, last: number): bigint {
    return BigInt(inner) ** BigInt(this.#options.rounds - 1) * BigInt(last);
  }

  #isFirstOfItsKind(sequence: readonly number[], { images }: Cast): boolean {
    for (const image of images) {
      for (const round of sequence) {
        const other = this.#imageOf(round, image);
        if (other > round) break;
        if (other < round) return false;
      }
    }
    return true;
  }

  #scenario({ twins, names }: Cast, sequence: readonly number[], firstRound: number): TwinsScenario {
    const { n, commitDepth } = this.#options;
    const count = this.#partitions.length;
    const sides = (number: number) => formatSides(this.#partitions[number] ?? [], names);
    const rounds = sequence.map((round) => ({
      before: sides(Math.floor(round / count)),
      after: sides(round % count),
    }));
    return { n, commitDepth, twins, firstRound, rounds };
  }
}

function isLoneSplit(partition: readonly number[]): boolean {
  const second = partition.filter((side) => side === 1).length;
  return second === 1 || second === partition.length - 1;
}

function bitsIn(bits: number): number {
  let count = 0;
  for (let rest = bits; rest !== 0; rest &= rest - 1) count++;
  return count;
}

/** Every way to take one of each list, the last list fastest. */
function* sequencesOf(choices: readonly (readonly number[])[]): Generator<readonly number[]> {
  if (choices.some((choice) => choice.length === 0)) return;
  const places = choices.map(() => 0);
  for (;;) {
    yield choices.map((choice, i) => choice[places[i] as number] as number);
    let i = choices.length - 1;
    while (i >= 0 && ++places[i]! === choices[i]!.length) places[i--] = 0;
    if (i < 0) return;
  }
}
