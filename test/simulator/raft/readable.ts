/** A scenario of a Raft cluster for a reader: one line for each thing that is done: when, to whom, what. */
import { episodeLines, machineFaultOf, weatherOf } from '../readable.ts';
import { AMPLE_LIMITS, type TightLimits } from './cast.ts';
import type { Drill, RaftAction, Wish } from './episode.ts';
import type { RaftScenario } from './scenario.ts';

export function linesOf(scenario: RaftScenario): string[] {
  const { about, cast, episodes, seed, servers } = scenario;
  const { clients, nonvoters, old, protocolVersion, snapshots, spares, streams, timings } = cast;
  return [
    ...(about === undefined ? [] : [about]),
    `seed ${seed}: ${servers} servers of a Raft cluster over ${streams}, protocol version ${protocolVersion}, ` +
      `spares: ${spares}, clients: ${clients}`,
    `heartbeat ${timings.heartbeatMs} ms, snapshots every ${snapshots.intervalMs} ms after ${snapshots.threshold} entries`,
    ...(nonvoters === 0 ? [] : [`the last ${nonvoters} of them begin as non-voters`]),
    ...(old.length === 0 ? [] : [`of an old version: ${old.join(' ')}`]),
    ...limitLines(cast.limits),
    ...(cast.retiresRemoved ? ['what is removed is switched off'] : []),
    ...(cast.listsRemoved ? ['what is removed stays in the list of the cluster'] : []),
    ...episodes.flatMap((episode) => episodeLines(episode, (action) => [whoOf(action), whatOf(action)])),
  ];
}

function limitLines(limits: TightLimits): string[] {
  const tight = Object.entries(limits).filter(([name, value]) => AMPLE_LIMITS[name as keyof TightLimits] !== value);
  return tight.length === 0 ? [] : [`bounds: ${tight.map(([name, value]) => `${name} ${value}`).join(', ')}`];
}

function whoOf(action: RaftAction): string {
  switch (action.kind) {
    case 'network':
      return 'network';
    case 'load':
      return 'clients';
    case 'transfer':
    case 'drill':
      return 'leader';
    case 'wish':
      return 'operator';
    case 'stranger':
      return 'stranger';
    default:
      return `node ${action.node}`;
  }
}

function whatOf(action: RaftAction): string {
  switch (action.kind) {
    case 'crash':
    case 'disk':
      return machineFaultOf(action);
    case 'network':
      return weatherOf(action.settings);
    case 'clock':
      return `its clock runs at ${action.rate}`;
    case 'pause':
      return `gets no turn for ${action.forMs} ms`;
    case 'load':
      return action.thinkMs === null ? 'begin nothing more' : `do something, then think for ${action.thinkMs} ms`;
    case 'transfer':
      return action.to === null ? 'hands over to whom it likes' : `hands over to node ${action.to}`;
    case 'wish':
      return wishOf(action.wish);
    case 'snapshot':
      return 'takes a snapshot';
    case 'revive':
      return 'is switched on again';
    case 'stranger':
      return `says ${action.says} to node ${action.to}, ${action.termAhead} terms ahead`;
    case 'drill':
      return DRILLS[action.drill];
  }
}

const DRILLS: Readonly<Record<Drill, string>> = {
  killed: 'its process ends',
  paused: 'gets no turn',
  deaf: 'is heard and hears nobody',
  'stalled-disk': 'its disk stands still',
  supplanted: 'is the last to learn that another leads',
};

function wishOf(wish: Wish): string {
  switch (wish.kind) {
    case 'addNonvoter':
      return `wants node ${wish.node} as a non-voter`;
    case 'addVoter':
      return `wants node ${wish.node} to vote`;
    case 'demoteVoter':
      return `wants node ${wish.node} not to vote`;
    case 'removeServer':
      return `wants node ${wish.node} gone`;
    case 'replace':
      return `wants node ${wish.by} in the place of node ${wish.node}`;
  }
}
