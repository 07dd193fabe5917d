/** The smaller versions of a scenario of a Raft cluster, the boldest first. */
import { withoutParts } from '../minimize.ts';
import {
  calmerSettings,
  eachAction,
  eachEpisode,
  lower,
  milderMachineActions,
  shorterEpisodes,
  withoutActions,
  withoutEpisodes,
} from '../smaller-episodes.ts';
import { AMPLE_LIMITS, type RaftCast } from './cast.ts';
import type { RaftAction } from './episode.ts';
import type { RaftScenario } from './scenario.ts';

export function* smallerScenarios(scenario: RaftScenario): Generator<RaftScenario> {
  yield* withoutEpisodes(scenario);
  for (const cast of smallerCasts(scenario.cast)) yield { ...scenario, cast };
  yield* withoutActions(scenario);
  yield* eachEpisode(scenario, shorterEpisodes);
  yield* eachEpisode(scenario, (episode) => eachAction(episode, milderActions));
}

function* smallerCasts(cast: RaftCast): Generator<RaftCast> {
  for (const old of withoutParts(cast.old)) yield { ...cast, old };
  if (cast.nonvoters > 0) yield { ...cast, nonvoters: 0 };
  // Machines are called by their number: the last can go, if nobody speaks of it.
  if (cast.spares > 0) yield { ...cast, spares: cast.spares - 1 };
  for (const clients of lower(cast.clients, 1)) yield { ...cast, clients };
  if (cast.keys > 1) yield { ...cast, keys: 1 };
  for (const name of Object.keys(AMPLE_LIMITS) as (keyof typeof AMPLE_LIMITS)[]) {
    if (cast.limits[name] !== AMPLE_LIMITS[name]) {
      yield { ...cast, limits: { ...cast.limits, [name]: AMPLE_LIMITS[name] } };
    }
  }
  if (cast.retiresRemoved) yield { ...cast, retiresRemoved: false };
  if (cast.listsRemoved) yield { ...cast, listsRemoved: false };
}

function* milderActions(action: RaftAction): Generator<RaftAction> {
  switch (action.kind) {
    case 'crash':
    case 'disk':
      yield* milderMachineActions(action);
      return;
    case 'network':
      for (const settings of calmerSettings(action.settings)) yield { ...action, settings };
      return;
    case 'pause':
      for (const forMs of lower(action.forMs, 0)) yield { ...action, forMs };
      return;
    case 'stranger':
      for (const termAhead of lower(action.termAhead, 0)) yield { ...action, termAhead };
      return;
    case 'wish':
      if (action.wish.kind === 'replace') {
        yield { ...action, wish: { kind: 'removeServer', node: action.wish.node } };
      }
      return;
    case 'transfer':
      if (action.to !== null) yield { ...action, to: null };
      return;
    case 'clock':
    case 'load':
    case 'snapshot':
    case 'revive':
    case 'drill':
      return;
  }
}
