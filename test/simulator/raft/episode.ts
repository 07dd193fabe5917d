/** What happens to a Raft cluster, as plain data: a storm of faults and changes, then calm; or a drill on its own. */
import { Random } from '../../../src/base/random.ts';
import type { Channel } from '../../../src/raft/contract.ts';
import { seedOf } from '../dice.ts';
import { crash, everybodyCrashes, type Episode, type MachineAction } from '../episode.ts';
import type { NetworkSettings } from '../network-settings.ts';
import { weather } from '../weather.ts';
import type { RaftCast } from './cast.ts';
import { CHANNELS } from './wire-lens.ts';

/** What an operator wants, and tries again until it is so or is given up. */
export type Wish =
  | { readonly kind: 'addNonvoter' | 'addVoter' | 'demoteVoter' | 'removeServer'; readonly node: number }
  /** Another takes its place: comes as a non-voter, is promoted, and then the first one goes. */
  | { readonly kind: 'replace'; readonly node: number; readonly by: number };

/** What a stranger says, with a term ahead of everybody's. */
export type StrangeMessage = 'heartbeat' | 'append' | 'vote' | 'preVote' | 'timeoutNow' | 'snapshot';

export type RaftAction =
  | MachineAction
  | { readonly kind: 'network'; readonly settings: NetworkSettings<Channel> }
  /** How fast its monotone clock runs. */
  | { readonly kind: 'clock'; readonly node: number; readonly rate: number }
  /** Its process gets no turn. */
  | { readonly kind: 'pause'; readonly node: number; readonly forMs: number }
  /** Null: nobody begins anything. */
  | { readonly kind: 'load'; readonly thinkMs: number | null }
  /** Of whoever leads then. `to` null: to whom it likes. */
  | { readonly kind: 'transfer'; readonly to: number | null }
  | { readonly kind: 'wish'; readonly wish: Wish }
  | { readonly kind: 'snapshot'; readonly node: number }
  /** A machine that was switched off is on again, with what it knew. */
  | { readonly kind: 'revive'; readonly node: number }
  | { readonly kind: 'stranger'; readonly to: number; readonly says: StrangeMessage; readonly termAhead: number }
  /** With all else in order something happens to the leader, whoever it is then. Another one must lead. */
  | { readonly kind: 'drill'; readonly drill: Drill };

/**
 * It is killed, gets no turn, is heard and hears nobody, or its disk stands still. Or another server is asked to stand, and
 * the leader hears nobody from then on: it learns last that it leads no more.
 */
export type Drill = 'killed' | 'paused' | 'deaf' | 'stalled-disk' | 'supplanted';

export type RaftEpisode = Episode<RaftAction>;

type Add = (atMs: number, action: RaftAction) => void;

/** @param servers at the beginning; with the spares they are all machines */
export function raftEpisodeOf(seed: number, number: number, servers: number, cast: RaftCast): RaftEpisode {
  const random = new Random(seedOf(seed, 1, number));
  const machines = servers + cast.spares;
  const actions: { readonly atMs: number; readonly action: RaftAction }[] = [];
  const add: Add = (atMs, action) => actions.push({ atMs, action });
  const stormMs = pickEpisode(random, { servers, machines, cast }, add);
  actions.sort((a, b) => a.atMs - b.atMs);
  return { number, stormMs, actions };
}

interface Place {
  readonly servers: number;
  readonly machines: number;
  readonly cast: RaftCast;
}

/** @returns how long it takes */
function pickEpisode(random: Random, place: Place, add: Add): number {
  if (random.chance(0.2)) return drill(random, place, add);
  if (place.cast.spares >= place.servers - 1 && random.chance(0.1)) return allAreReplaced(random, place, add);
  return storm(random, place, add);
}

function storm(random: Random, place: Place, add: Add): number {
  const { machines } = place;
  const stormMs = random.pick([300, 1_000, 3_000, 10_000, 30_000]);
  const weathers = 1 + random.below(4);
  for (let i = 0; i < weathers; i++) {
    add(i === 0 ? 0 : random.below(stormMs), { kind: 'network', settings: weatherOf(random, machines) });
  }
  // A long storm is of more use with more faults than with more entries.
  add(0, { kind: 'load', thinkMs: Math.max(stormMs / 200, random.pick([1, 5, 20, 100, 1_000])) });
  const some = (most: number, action: () => RaftAction) => {
    for (let i = random.below(most + 1); i > 0; i--) add(random.below(stormMs), action());
  };
  const crashes = random.pick([0, 0, 1, 2, machines]);
  for (let i = 0; i < crashes; i++) add(random.below(stormMs), crash(random, machines, stormMs));
  if (random.chance(0.1)) everybodyCrashes(random, machines, stormMs, add);
  if (random.chance(0.3)) some(2, () => diskFault(random, machines, stormMs));
  if (random.chance(0.3)) some(2, () => ({ kind: 'pause', node: random.below(machines), forMs: pause(random) }));
  if (random.chance(0.3)) some(machines, () => ({ kind: 'clock', node: random.below(machines), rate: rate(random) }));
  if (random.chance(0.5)) some(3, () => transfer(random, machines));
  if (random.chance(0.5)) some(3, () => ({ kind: 'wish', wish: wish(random, machines) }));
  if (random.chance(0.3)) some(3, () => ({ kind: 'snapshot', node: random.below(machines) }));
  if (random.chance(0.3)) some(2, () => ({ kind: 'revive', node: random.below(machines) }));
  if (random.chance(0.3)) some(4, () => stranger(random, machines));
  return stormMs;
}

/** On a connection nothing is doubled. What is lost takes the connection with it, so that less is enough. */
function weatherOf(random: Random, machines: number): NetworkSettings<Channel> {
  const settings = weather(random, machines, CHANNELS);
  const { hangMs: _never, ...rest } = settings;
  return { ...rest, duplication: 0, loss: settings.loss / 5 };
}

function diskFault(random: Random, machines: number, stormMs: number): RaftAction {
  const mode = random.pick(['slow', 'slow', 'stalled', 'stalled', 'full'] as const);
  return { kind: 'disk', node: random.below(machines), mode, forMs: 1 + random.below(stormMs) };
}

function pause(random: Random): number {
  return 1 + random.below(random.pick([50, 600, 5_000]));
}

function rate(random: Random): number {
  return random.pick([0.5, 0.9, 0.99, 1.01, 1.1, 2]);
}

function transfer(random: Random, machines: number): RaftAction {
  return { kind: 'transfer', to: random.chance(0.5) ? null : random.below(machines) };
}

function wish(random: Random, machines: number): Wish {
  const node = random.below(machines);
  const kind = random.pick(['addNonvoter', 'addVoter', 'addVoter', 'demoteVoter', 'removeServer', 'replace'] as const);
  if (kind !== 'replace') return { kind, node };
  return { kind, node, by: (node + 1 + random.below(machines - 1)) % machines };
}

function stranger(random: Random, machines: number): RaftAction {
  const says = random.pick(['heartbeat', 'append', 'vote', 'preVote', 'timeoutNow', 'snapshot'] as const);
  return { kind: 'stranger', to: random.below(machines), says, termAhead: random.pick([0, 1, 1_000]) };
}

function drill(random: Random, { cast }: Place, add: Add): number {
  const drill = random.pick(['killed', 'paused', 'deaf', 'stalled-disk', 'supplanted', 'supplanted'] as const);
  add(0, { kind: 'load', thinkMs: drill === 'supplanted' ? 5 : random.pick([50, 200]) });
  add(0, { kind: 'drill', drill });
  if (drill === 'supplanted') return 2 * cast.timings.electionMs;
  return 12 * cast.timings.electionMs;
}

/** One server is away while all others are replaced, one after the other; then it is back, and knows none of them. */
function allAreReplaced(random: Random, { servers, cast }: Place, add: Add): number {
  const [away = 0, ...others] = random.shuffled(Array.from({ length: servers }, (_, id) => id));
  const spacingMs = 8 * cast.timings.electionMs;
  const stormMs = spacingMs * (others.length + 1);
  add(0, { kind: 'load', thinkMs: stormMs / 200 });
  add(0, { kind: 'crash', node: away, how: random.pick(['process', 'power']), atEffect: null, downMs: stormMs });
  for (const [place, node] of others.entries()) {
    add((place + 0.5) * spacingMs, { kind: 'wish', wish: { kind: 'replace', node, by: servers + place } });
  }
  return stormMs;
}
