/**
 * Renamings of instances that change nothing of what a scenario tests.
 *
 * - The two instances of a twin are equals: they may change places.
 * - Validators that lead none of the rounds, and are not to receive their votes, are equals among correct ones and
 *   among twins. A vote of round r goes to the leaders of r + 1 and r + 2, so the last two rounds after the scenario's
 *   count as its own. (What such validators differ in is their turn after the network has healed, and in which order
 *   things happen that happen at once.)
 */
import { leaderOf } from '../../src/hotstuff/leader.ts';
import { permutationsOf, subsetsOf } from './partitions.ts';

const COLLECTING_ROUNDS = 2;

/** Validators whose place in the leader schedule tells them from all others. */
export function namedValidators(n: number, firstRound: number, rounds: number): ReadonlySet<number> {
  return new Set(Array.from({ length: rounds + COLLECTING_ROUNDS }, (_, i) => leaderOf(0, firstRound + i, n)));
}

/** One of each kind: the equals that have twins are the first ones. */
export function differentTwins(n: number, faults: number, named: ReadonlySet<number>): readonly (readonly number[])[] {
  const all = Array.from({ length: n }, (_, index) => index);
  const equals = all.filter((index) => !named.has(index));
  return subsetsOf(all, faults).filter((twins) => {
    const chosen = equals.filter((index) => twins.includes(index));
    return chosen.every((index, place) => index === equals[place]);
  });
}

/** As permutations of instances (own ones first, then the second ones of `twins`); the identity is the first. */
export function symmetriesOf(n: number, twins: readonly number[], named: ReadonlySet<number>): readonly number[][] {
  const all = Array.from({ length: n }, (_, index) => index);
  const equals = all.filter((index) => !named.has(index));
  const equalTwins = equals.filter((index) => twins.includes(index));
  const equalOthers = equals.filter((index) => !twins.includes(index));
  const found: number[][] = [];
  for (const twinOrder of permutationsOf(equalTwins)) {
    for (const otherOrder of permutationsOf(equalOthers)) {
      const validators = [...all];
      for (const [place, index] of equalTwins.entries()) validators[index] = twinOrder[place] as number;
      for (const [place, index] of equalOthers.entries()) validators[index] = otherOrder[place] as number;
      for (let swaps = 0; swaps < 1 << twins.length; swaps++) found.push(onInstances(n, validators, twins, swaps));
    }
  }
  return found;
}

/** @param swaps bit i: the two instances of twin i change places */
function onInstances(n: number, validators: readonly number[], twins: readonly number[], swaps: number): number[] {
  const own = [...validators];
  const second = twins.map((index) => n + twins.indexOf(validators[index] as number));
  for (const [place, index] of twins.entries()) {
    if (((swaps >> place) & 1) === 0) continue;
    [own[index], second[place]] = [second[place] as number, own[index] as number];
  }
  return [...own, ...second];
}
