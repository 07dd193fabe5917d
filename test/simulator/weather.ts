/** What a seed makes of the network between so many nodes: delays, losses, cuts, and rules for kinds of messages. */
import type { Random } from '../../src/base/random.ts';
import { CALM, type Cut, type KindRule, type NetworkSettings } from './network-settings.ts';

/** Longer than a healed network may take to make progress. */
const HANG_MS = 600_000;

/** @param kinds for which there may be rules */
export function weather<K extends string>(random: Random, nodes: number, kinds: readonly K[]): NetworkSettings<K> {
  const everybody = Array.from({ length: nodes }, (_, id) => id);
  const most = random.pick([1, 5, 20, 80]);
  return {
    ...CALM,
    delayMs: [0.1, most],
    late: { chance: random.pick([0, 0.02, 0.2]), mostMs: random.pick([50, 500, 3_000]) },
    loss: random.pick([0, 0, 0.02, 0.1, 0.3]),
    duplication: random.pick([0, 0.05, 0.5]),
    inOrder: random.chance(0.5),
    cuts: cuts(random, everybody),
    cutsBreakLinks: random.chance(0.5),
    rules: Array.from({ length: random.pick([0, 0, 1, 3]) }, () => rule(random, everybody, kinds)),
    ...(random.chance(0.3) ? { hangMs: HANG_MS } : {}),
  };
}

/** Two halves, one way or both; one node that is heard but does not hear; or nothing. */
function cuts(random: Random, everybody: readonly number[]): Cut[] {
  const order = random.shuffled(everybody);
  switch (random.below(6)) {
    case 0: {
      const split = 1 + random.below(order.length - 1);
      const [some, others] = [order.slice(0, split), order.slice(split)];
      return [
        { from: some, to: others },
        { from: others, to: some },
      ];
    }
    case 1: {
      const split = 1 + random.below(order.length - 1);
      return [{ from: order.slice(0, split), to: order.slice(split) }];
    }
    case 2:
      return [{ from: everybody, to: order.slice(0, 1) }];
    case 3:
      return [{ from: order.slice(0, 1), to: order.slice(1, 2) }];
    default:
      return [];
  }
}

function rule<K extends string>(random: Random, everybody: readonly number[], kinds: readonly K[]): KindRule<K> {
  const every = random.pick([1, 1, 2, 3, everybody.length]);
  const some = () =>
    random.chance(0.5) ? everybody : random.shuffled(everybody).slice(0, 1 + random.below(everybody.length));
  const isLossy = random.chance(0.6);
  return {
    kind: random.pick(kinds),
    every,
    phase: random.below(every),
    from: some(),
    to: some(),
    loss: isLossy ? random.pick([0.3, 0.9, 1]) : 0,
    extraMs: isLossy ? 0 : random.pick([5, 50, 1_500]),
  };
}
