/** A run of a Raft cluster written down: everything that a seed would decide about who takes part and what happens. */
import type { AnyScenario } from '../scenario.ts';
import { castOf, type RaftCast } from './cast.ts';
import { raftEpisodeOf, type RaftAction, type RaftEpisode } from './episode.ts';

export interface RaftScenario extends AnyScenario<RaftAction> {
  readonly engine: 'raft';
  /** In the first configuration. */
  readonly servers: number;
  readonly cast: RaftCast;
}

/** Where a simulation takes what happens next from. */
export interface RaftScript {
  readonly cast: RaftCast;
  /** Undefined when there is nothing more. */
  episode(number: number): RaftEpisode | undefined;
}

/** Without end. */
export function scriptOfSeed(seed: number, servers: number): RaftScript {
  const cast = castOf(seed, servers);
  return { cast, episode: (number) => raftEpisodeOf(seed, number, servers, cast) };
}

export function scriptOf({ cast, episodes }: RaftScenario): RaftScript {
  return { cast, episode: (number) => episodes[number] };
}
