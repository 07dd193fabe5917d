/**
 * The smaller versions of a scenario, the boldest first: without episodes, traitors, actions; then with calmer weather,
 * shorter storms and milder faults. What it fails by stays possible in each: somebody submits something.
 */
import { AMPLE } from './cast.ts';
import type { Action } from './episode.ts';
import { withoutParts } from './minimize.ts';
import type { Scenario } from './scenario.ts';
import {
  calmerSettings,
  eachAction,
  eachEpisode,
  lower,
  milderMachineActions,
  shorterEpisodes,
  withoutActions,
  withoutEpisodes,
} from './smaller-episodes.ts';

export function* smallerScenarios(scenario: Scenario): Generator<Scenario> {
  yield* withoutEpisodes(scenario);
  yield* smallerCasts(scenario);
  yield* withoutActions(scenario);
  yield* eachEpisode(scenario, shorterEpisodes);
  yield* eachEpisode(scenario, (episode) => eachAction(episode, milderActions));
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

function* milderActions(action: Action): Generator<Action> {
  switch (action.kind) {
    case 'network':
      for (const settings of calmerSettings(action.settings)) yield { ...action, settings };
      return;
    case 'crash':
    case 'disk':
      yield* milderMachineActions(action);
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
