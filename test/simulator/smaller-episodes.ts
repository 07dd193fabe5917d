/**
 * Smaller versions of what every scenario has, whatever engine plays it: episodes of actions, faults of machines, the
 * weather of a network.
 */
import type { Episode, MachineAction, TimedAction } from './episode.ts';
import { withoutParts } from './minimize.ts';
import { CALM, type NetworkSettings } from './network-settings.ts';
import type { AnyScenario } from './scenario.ts';

export function* withoutEpisodes<A, S extends AnyScenario<A>>(scenario: S & AnyScenario<A>): Generator<S> {
  for (const episodes of withoutParts(scenario.episodes)) yield { ...scenario, episodes };
}

/** Parts of the actions of all episodes in a row. */
export function* withoutActions<A, S extends AnyScenario<A>>(scenario: S & AnyScenario<A>): Generator<S> {
  const all = scenario.episodes.flatMap(({ actions }) => actions);
  for (const kept of withoutParts(all)) {
    const left = new Set(kept);
    const episodes = scenario.episodes.map((episode) => ({
      ...episode,
      actions: episode.actions.filter((action) => left.has(action)),
    }));
    yield { ...scenario, episodes };
  }
}

export function* eachEpisode<A, S extends AnyScenario<A>>(
  scenario: S & AnyScenario<A>,
  versions: (episode: Episode<A>) => Iterable<Episode<A>>,
): Generator<S> {
  for (const [place, episode] of scenario.episodes.entries()) {
    for (const version of versions(episode)) {
      yield { ...scenario, episodes: scenario.episodes.with(place, version) };
    }
  }
}

export function* shorterEpisodes<A>(episode: Episode<A>): Generator<Episode<A>> {
  const { actions, stormMs } = episode;
  const lastMs = Math.max(0, ...actions.map(({ atMs }) => atMs));
  for (const shorter of lower(stormMs, lastMs)) yield { ...episode, stormMs: shorter };
  if (lastMs === 0) return;
  const half = (ms: number) => Math.floor(ms / 2);
  yield {
    ...episode,
    stormMs: half(stormMs),
    actions: actions.map(({ action, atMs }) => ({ action, atMs: half(atMs) })),
  };
}

export function* eachAction<A>(episode: Episode<A>, versions: (action: A) => Iterable<A>): Generator<Episode<A>> {
  for (const [place, { action, atMs }] of episode.actions.entries()) {
    for (const version of versions(action)) {
      const milder: TimedAction<A> = { atMs, action: version };
      yield { ...episode, actions: episode.actions.with(place, milder) };
    }
  }
}

export function* milderMachineActions(action: MachineAction): Generator<MachineAction> {
  if (action.kind === 'disk') {
    for (const forMs of lower(action.forMs, 0)) yield { ...action, forMs };
    return;
  }
  if (action.how !== 'process') yield { ...action, how: 'process' };
  if (action.atEffect !== null) {
    yield { ...action, atEffect: null };
    for (const atEffect of lower(action.atEffect, 0)) yield { ...action, atEffect };
  }
  for (const downMs of lower(action.downMs, 1)) yield { ...action, downMs };
}

export function* calmerSettings<K extends string>(settings: NetworkSettings<K>): Generator<NetworkSettings<K>> {
  const { cuts, rules } = settings;
  const { hangMs, ...punctual } = settings;
  if (hangMs !== undefined) yield punctual;
  for (const name of ['loss', 'duplication', 'late', 'delayMs', 'inOrder', 'cutsBreakLinks'] as const) {
    const calmer = { ...settings, [name]: CALM[name] };
    if (JSON.stringify(calmer) !== JSON.stringify(settings)) yield calmer;
  }
  for (const fewer of withoutParts(cuts)) yield { ...settings, cuts: fewer };
  for (const fewer of withoutParts(rules)) yield { ...settings, rules: fewer };
  for (const narrower of eachNarrower(cuts)) yield { ...settings, cuts: narrower };
  for (const narrower of eachNarrower(rules)) yield { ...settings, rules: narrower };
}

/** One of the passages is of fewer nodes. */
function* eachNarrower<T extends { readonly from: readonly number[]; readonly to: readonly number[] }>(
  passages: readonly T[],
): Generator<T[]> {
  for (const [place, passage] of passages.entries()) {
    for (const from of withoutParts(passage.from)) yield passages.with(place, { ...passage, from });
    for (const to of withoutParts(passage.to)) yield passages.with(place, { ...passage, to });
  }
}

/** Whole numbers below it, the least first; then what comes nearer by halves. */
export function* lower(value: number, least: number): Generator<number> {
  if (value <= least) return;
  yield least;
  const half = least + Math.floor((value - least) / 2);
  if (half > least) yield half;
}
