/**
 * What happens to a network, as plain data: a storm of faults, then calm. An episode is a function of the seed and its
 * number, and of nothing that went before, so that it can be written down, cut short and run again.
 */
import { Random } from '../../src/base/random.ts';
import type { Cast } from './cast.ts';
import { seedOf } from './dice.ts';
import { FRAME_KINDS, type FrameKind } from './lens.ts';
import type { CrashKind } from './machine.ts';
import type { DiskMode, Flip } from './simulated-disk.ts';
import type { NetworkSettings } from './network-settings.ts';
import { weather } from './weather.ts';

/** What is done to one machine, whatever runs on it. */
export type MachineAction =
  /** `atEffect`: not now, but before the effect of this number from now on. */
  | {
      readonly kind: 'crash';
      readonly node: number;
      readonly how: CrashKind;
      readonly atEffect: number | null;
      readonly downMs: number;
    }
  | { readonly kind: 'disk'; readonly node: number; readonly mode: Exclude<DiskMode, 'ok'>; readonly forMs: number };

export type Action =
  | MachineAction
  | ({ readonly kind: 'flip'; readonly node: number } & Flip)
  | { readonly kind: 'clock'; readonly node: number; readonly skewMs: number; readonly rate: number }
  | { readonly kind: 'network'; readonly settings: NetworkSettings }
  /** All clocks together, those of who submits too. They stay so until everything else is healed. */
  | { readonly kind: 'clocks'; readonly skewMs: number }
  /** Null: nobody begins anything, until all have come to rest. */
  | { readonly kind: 'load'; readonly thinkMs: number | null };

export interface TimedAction<A = Action> {
  /** From the start of the episode. */
  readonly atMs: number;
  readonly action: A;
}

/** @template A what is done in it */
export interface Episode<A = Action> {
  readonly number: number;
  readonly stormMs: number;
  /** By time. */
  readonly actions: readonly TimedAction<A>[];
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
    add(i === 0 ? 0 : random.below(stormMs), { kind: 'network', settings: weather(random, nodes, RULED_KINDS) });
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

const RULED_KINDS: readonly FrameKind[] = FRAME_KINDS.filter((kind) => kind !== 'submission' && kind !== 'garbage');

/** Of all clocks. */
const STEPS_BACK_MS = [-60_000, -300_000, -3_600_000, -86_400_000] as const;

/** Of one of so many, now or at one of its next effects. */
export function crash(random: Random, nodes: number, stormMs: number): MachineAction {
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

export function everybodyCrashes(
  random: Random,
  nodes: number,
  stormMs: number,
  add: (atMs: number, action: MachineAction) => void,
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
