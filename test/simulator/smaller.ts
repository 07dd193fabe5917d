/**
 * The smaller versions of a scenario, the boldest first: without episodes, traitors, actions; then with calmer weather,
 * shorter storms and milder faults. What it fails by stays possible in each: somebody submits something.
 */
import { AMPLE } from './cast.ts';
import type { Action, Episode, TimedAction } from './episode.ts';
import { withoutParts } from './minimize.ts';
import { CALM, type NetworkSettings } from './network-settings.ts';
import type { Scenario } from './scenario.ts';

export function* smallerScenarios(scenario: Scenario): Generator<Scenario> {
  yield* withoutEpisodes(scenario);
  yield* smallerCasts(scenario);
  yield* withoutActions(scenario);
  yield* eachEpisode(scenario, shorterEpisodes);
  yield* eachEpisode(scenario, (episode) => eachAction(episode, milderActions));
}

function* withoutEpisodes(scenario: Scenario): Generator<Scenario> {
  for (const episodes of withoutParts(scenario.episodes)) yield { ...scenario, episodes };
}

function* smallerCasts(scenario: Scenario): Generator<Scenario> {
  const { cast } = scenario;
  const { adversaries, badClocks, limits, lostDisks, submitters, twins } = cast;
  // Of use to who makes up episodes only.
  if (badClocks.length + lostDisks.length > 0) yield { ...scenario, cast: { ...cast, badClocks: [], lostDisks: [] } };
  for (const fewer of withoutParts(adversaries)) yield { ...scenario, cast: { ...cast, adversaries: fewer } };
  for (let place = 0; place < twins.length; place++) yield withoutTwin(scenario, place);
  const { operators, ...undecided } = cast;
  if (operators !== undefined) yield { ...scenario, cast: undecided };
  for (const fewer of lower(submitters, 1)) yield { ...scenario, cast: { ...cast, submitters: fewer } };
  for (const name of ['mempoolEvents', 'inboxMessages', 'waitingSubmissions'] as const) {
    if (limits[name] >= AMPLE[name]) continue;
    yield { ...scenario, cast: { ...cast, limits: { ...limits, [name]: AMPLE[name] } } };
  }
}

/** Those after it are renumbered, and what was meant for it happens to nobody. */
function withoutTwin(scenario: Scenario, place: number): Scenario {
  const gone = scenario.validators + place;
  const twins = scenario.cast.twins.toSpliced(place, 1);
  const renumbered = (id: number) => (id > gone ? id - 1 : id);
  const others = (ids: readonly number[]) => ids.filter((id) => id !== gone).map(renumbered);
  const ofOthers = <T extends { readonly from: readonly number[]; readonly to: readonly number[] }>(
    passages: readonly T[],
  ) => passages.map((passage) => ({ ...passage, from: others(passage.from), to: others(passage.to) }));
  const adapted = (action: Action): Action => {
    if (action.kind === 'load' || action.kind === 'clocks') return action;
    if (action.kind !== 'network') return { ...action, node: renumbered(action.node) };
    const { cuts, rules } = action.settings;
    return { ...action, settings: { ...action.settings, cuts: ofOthers(cuts), rules: ofOthers(rules) } };
  };
  const episodes = scenario.episodes.map((episode) => ({
    ...episode,
    actions: episode.actions
      .filter(({ action }) => !('node' in action) || action.node !== gone)
      .map(({ action, atMs }) => ({ atMs, action: adapted(action) })),
  }));
  return { ...scenario, cast: { ...scenario.cast, twins }, episodes };
}

/** Parts of the actions of all episodes in a row. */
function* withoutActions(scenario: Scenario): Generator<Scenario> {
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

function* eachEpisode(scenario: Scenario, versions: (episode: Episode) => Iterable<Episode>): Generator<Scenario> {
  for (const [place, episode] of scenario.episodes.entries()) {
    for (const version of versions(episode)) {
      yield { ...scenario, episodes: scenario.episodes.with(place, version) };
    }
  }
}

function* shorterEpisodes(episode: Episode): Generator<Episode> {
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

function* eachAction(episode: Episode, versions: (action: Action) => Iterable<Action>): Generator<Episode> {
  for (const [place, { action, atMs }] of episode.actions.entries()) {
    for (const version of versions(action)) {
      const milder: TimedAction = { atMs, action: version };
      yield { ...episode, actions: episode.actions.with(place, milder) };
    }
  }
}

function* milderActions(action: Action): Generator<Action> {
  switch (action.kind) {
    case 'network':
      for (const settings of calmerSettings(action.settings)) yield { ...action, settings };
      return;
    case 'crash':
      if (action.how !== 'process') yield { ...action, how: 'process' };
      if (action.atEffect !== null) {
        yield { ...action, atEffect: null };
        for (const atEffect of lower(action.atEffect, 0)) yield { ...action, atEffect };
      }
      for (const downMs of lower(action.downMs, 1)) yield { ...action, downMs };
      return;
    case 'disk':
      for (const forMs of lower(action.forMs, 0)) yield { ...action, forMs };
      return;
    case 'flip':
      for (const place of lower(action.place, 0)) yield { ...action, place };
      return;
    case 'clock':
      if (action.rate !== 1) yield { ...action, rate: 1 };
      for (const skewMs of lower(Math.abs(action.skewMs), 0)) {
        yield { ...action, skewMs: action.skewMs < 0 ? -skewMs : skewMs };
      }
      return;
    case 'clocks':
      for (const skewMs of lower(-action.skewMs, 0)) yield { ...action, skewMs: -skewMs };
      return;
    case 'load':
      return;
  }
}

function* calmerSettings(settings: NetworkSettings): Generator<NetworkSettings> {
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
function* lower(value: number, least: number): Generator<number> {
  if (value <= least) return;
  yield least;
  const half = least + Math.floor((value - least) / 2);
  if (half > least) yield half;
}
