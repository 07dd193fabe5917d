/**
 * A run written down: everything that a seed would decide about who takes part and what happens to them. It plays the
 * same as the seed that it came from, it can be edited and cut short, and it is what a failing run shrinks to.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { castOf, type Cast } from './cast.ts';
import { episodeOf, type Action, type Episode } from './episode.ts';

/** @template A what is done in it */
export interface AnyScenario<A> {
  /** For a reader: what it shows, or showed before that was mended. */
  readonly about?: string;
  /** Of what is left to chance: delays, losses, events. */
  readonly seed: number;
  readonly episodes: readonly Episode<A>[];
}

export interface Scenario extends AnyScenario<Action> {
  readonly validators: number;
  readonly commitDepth: 2 | 3;
  readonly cast: Cast;
}

/** Where a simulation takes what happens next from. */
export interface Script {
  readonly cast: Cast;
  /** Undefined when there is nothing more. */
  episode(number: number): Episode | undefined;
}

/** Without end. */
export function scriptOfSeed(seed: number, validators: number): Script {
  const cast = castOf(seed, validators);
  const nodes = validators + cast.twins.length;
  return { cast, episode: (number) => episodeOf(seed, number, nodes, cast) };
}

export function scriptOf({ cast, episodes }: Scenario): Script {
  return { cast, episode: (number) => episodes[number] };
}

/** Options of a simulation that plays it to its end. */
export function replayOf(scenario: Scenario) {
  const { commitDepth, seed, validators } = scenario;
  return { seed, validators, commitDepth, rounds: Infinity, script: scriptOf(scenario) } as const;
}

export function writeScenario(path: string, scenario: AnyScenario<unknown>): void {
  writeFileSync(path, `${JSON.stringify(scenario, null, 2)}\n`);
}

/** @template S of the engine that plays it */
export function readScenario<S extends AnyScenario<unknown> = Scenario>(path: string): S {
  return JSON.parse(readFileSync(path, 'utf8')) as S;
}
