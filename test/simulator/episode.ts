/**
 * What happens to a network, as plain data: a storm of faults, then calm. An episode is a function of the seed and its
 * number, and of nothing that went before, so that it can be written down, cut short and run again.
 */
import { Random } from '../../src/base/random.ts';
import type { Cast } from './cast.ts';
import { seedOf } from './dice.ts';
import { FRAME_KINDS, type FrameKind } from './lens.ts';
import type { Flip } from './simulated-disk.ts';
import { CALM, type Cut, type KindRule, type NetworkSettings } from './network-settings.ts';

export type Action =
  /** `atEffect`: not now, but before the effect of this number from now on. */
  | {
      readonly kind: 'crash';
      readonly node: number;
      readonly how: 'process' | 'power' | 'disk';
      readonly atEffect: number | null;
      readonly downMs: number;
    }
  | { readonly kind: 'disk'; readonly node: number; readonly mode: 'slow' | 'full'; readonly forMs: number }
  | ({ readonly kind: 'flip'; readonly node: number } & Flip)
  | { readonly kind: 'clock'; readonly node: number; readonly skewMs: number; readonly rate: number }
  | { readonly kind: 'network'; readonly settings: NetworkSettings }
  /** All clocks together, those of who submits too. They stay so until everything else is healed. */
  | { readonly kind: 'clocks'; readonly skewMs: number }
  /** Null: nobody begins anything, until all have come to rest. */
  | { readonly kind: 'load'; readonly thinkMs: number | null };

export interface TimedAction {
  /** From the start of the episode. */
  readonly atMs: number;
  readonly action: Action;
}

export interface Episode {
  readonly number: number;
  readonly stormMs: number;
  /** By time. */
  readonly actions: readonly TimedAction[];
}

/** @param nodes machines: a validator that has a twin counts twice */
export function episodeOf(
  seed: number,
  number: number,
  nodes: number,
  cast: Pick<Cast, 'badClocks' | 'lostDisks'>,
): Episode {
  const random = new Random(seedOf(seed, 1, number));
  const stormMs = random.pick([300, 1_000, 3_000, 10_000, 60_000]);
  const actions: TimedAction[] = [];
  const add = (atMs: number, action: Action) => actions.push({ atMs, action });
  const weathers = 1 + random.below(4);
  for (let i = 0; i < weathers; i++) {
    add(i === 0 ? 0 : random.below(stormMs), { kind: 'network', settings: weather(random, nodes) });
  }
  add(0, { kind: 'load', thinkMs: random.pick([1, 5, 20, 100, 1_000]) });
  const crashes = random.pick([0, 0, 1, 2, nodes]);
  for (let i = 0; i < crashes; i++) add(random.below(stormMs), crash(random, nodes, stormMs));
  if (random.chance(0.1)) everybodyCrashes(random, nodes, stormMs, add);
  for (const node of cast.lostDisks) {
    const downMs = 1 + random.below(500);
    // Seldom: all that it lost is fetched again, which takes longer the longer the run.
    if (random.chance(0.04)) add(random.below(stormMs), { kind: 'crash', node, how: 'disk', atEffect: null, downMs });
  }
  if (random.chance(0.3)) {
    const mode = random.pick(['slow', 'full'] as const);
    add(random.below(stormMs), { kind: 'disk', node: random.below(nodes), mode, forMs: random.below(stormMs) });
  }
  for (let node = 0; node < nodes; node++) if (random.chance(0.2)) add(random.below(stormMs), clock(random, node));
  for (const node of cast.badClocks) if (random.chance(0.5)) add(random.below(stormMs), badClock(random, node));
  if (random.chance(0.3)) add(random.below(stormMs), { kind: 'load', thinkMs: null });
  if (random.chance(0.15)) add(random.below(stormMs), { kind: 'clocks', skewMs: random.pick(STEPS_BACK_MS) });
  // Of chance of its own, so that all else of a seed is what it was before there was this fault.
  const chanceOfFlips = new Random(seedOf(seed, 3, number));
  for (const node of cast.lostDisks) if (chanceOfFlips.chance(0.08)) flips(chanceOfFlips, node, stormMs, add);
  actions.sort((a, b) => a.atMs - b.atMs);
  return { number, stormMs, actions };
}

/** Of all clocks. */
const STEPS_BACK_MS = [-60_000, -300_000, -3_600_000, -86_400_000] as const;

/** Longer than a healed network may take to make progress. */
const HANG_MS = 600_000;

function weather(random: Random, nodes: number): NetworkSettings {
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
    rules: Array.from({ length: random.pick([0, 0, 1, 3]) }, () => rule(random, everybody)),
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

const RULED_KINDS: readonly FrameKind[] = FRAME_KINDS.filter((kind) => kind !== 'submission' && kind !== 'garbage');

function rule(random: Random, everybody: readonly number[]): KindRule {
  const every = random.pick([1, 1, 2, 3, everybody.length]);
  const some = () =>
    random.chance(0.5) ? everybody : random.shuffled(everybody).slice(0, 1 + random.below(everybody.length));
  const isLossy = random.chance(0.6);
  return {
    kind: random.pick(RULED_KINDS),
    every,
    phase: random.below(every),
    from: some(),
    to: some(),
    loss: isLossy ? random.pick([0.3, 0.9, 1]) : 0,
    extraMs: isLossy ? 0 : random.pick([5, 50, 1_500]),
  };
}

function crash(random: Random, nodes: number, stormMs: number): Action {
  return {
    kind: 'crash',
    node: random.below(nodes),
    how: random.pick(['process', 'power']),
    atEffect: random.chance(0.7) ? random.below(60) : null,
    downMs: 1 + random.below(random.pick([20, 300, stormMs])),
  };
}

/** What is kept in the store, and the few keys that decide everything else more often. */
const TABLES = ['M', 'M', 'M', 'B', 'I', 'U', 'U', 'S', 'S', 'C', 'P'] as const;

/** A process has most in memory, and reads its disk when it starts: it ends at once, or goes on. */
function flips(random: Random, node: number, stormMs: number, add: (atMs: number, action: Action) => void): void {
  const atMs = random.below(stormMs);
  const where = random.pick(['log', 'value', 'value', 'value', 'key', 'block', 'older'] as const);
  const count = where === 'log' ? 1 : random.pick([1, 1, 5]);
  for (let i = 0; i < count; i++) {
    add(atMs, { kind: 'flip', node, in: where, table: random.pick(TABLES), place: random.uint32() });
  }
  if (random.chance(0.3)) return;
  add(atMs, { kind: 'crash', node, how: 'process', atEffect: null, downMs: 1 + random.below(300) });
}

function everybodyCrashes(
  random: Random,
  nodes: number,
  stormMs: number,
  add: (atMs: number, action: Action) => void,
): void {
  const atMs = random.below(stormMs);
  for (let node = 0; node < nodes; node++) {
    add(atMs, { kind: 'crash', node, how: 'power', atEffect: null, downMs: 1 + random.below(300) });
  }
}

function clock(random: Random, node: number): Action {
  return { kind: 'clock', node, skewMs: random.below(4_000) - 2_000, rate: random.pick([0.9, 0.99, 1, 1.01, 1.1]) };
}

function badClock(random: Random, node: number): Action {
  const hours = random.pick([-24, -1, -0.1, 0.1, 1, 24]);
  return { kind: 'clock', node, skewMs: hours * 3_600_000, rate: random.pick([0.5, 1, 2]) };
}
