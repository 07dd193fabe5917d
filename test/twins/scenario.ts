/**
 * A Twins scenario as plain JSON: who has a twin, and who can reach whom in which round.
 *
 *     {"n":4,"commitDepth":2,"twins":[1],"firstRound":1,
 *      "rounds":[{"before":"0 1 2 | 1' 3","after":"0 2 3 | 1 1'"}]}
 *
 * Instances are named after their validator; `1'` is the second instance of validator 1. Nothing passes between two sides
 * of a `|`. A message belongs to the round that it speaks of; `before` holds for it while its sender has not given up on
 * that round, `after` from then on (a round that nobody gives up on has no `after`). Rounds that are not listed are whole.
 */
import { faultsOf } from '../../src/qc/validator-set.ts';

export interface TwinsRound {
  readonly before: string;
  readonly after: string;
}

export interface TwinsScenario {
  readonly n: number;
  readonly commitDepth: 2 | 3;
  /** Validators of which there are two instances, rising: f of them at most. */
  readonly twins: readonly number[];
  /** The round that `rounds[0]` is about; those before it are whole. */
  readonly firstRound: number;
  readonly rounds: readonly TwinsRound[];
}

/** First every validator's own, then the second ones of the twins. */
export function instanceNames({ n, twins }: Pick<TwinsScenario, 'n' | 'twins'>): string[] {
  return [...Array.from({ length: n }, (_, index) => `${index}`), ...twins.map((index) => `${index}'`)];
}

/** @param sides by instance: the number of its side */
export function formatSides(sides: readonly number[], names: readonly string[]): string {
  const groups = new Map<number, string[]>();
  for (const [id, side] of sides.entries()) groups.set(side, [...(groups.get(side) ?? []), names[id] ?? '?']);
  return Array.from(groups.values(), (group) => group.join(' ')).join(' | ');
}

/** By instance: the number of its side. @throws Error when not every instance is named once */
export function parseSides(text: string, names: readonly string[]): number[] {
  const groups = text.split('|').map((group) => group.trim().split(/\s+/));
  const sides = names.map((name) => groups.findIndex((group) => group.includes(name)));
  if (sides.includes(-1) || groups.flat().length !== names.length) {
    throw new Error(`not a partition of ${names.join(', ')}: ${text}`);
  }
  return sides;
}

/** @throws Error when it is no scenario */
export function parseScenario(text: string): TwinsScenario {
  const scenario = JSON.parse(text) as TwinsScenario;
  const { n, commitDepth, firstRound, rounds, twins } = scenario;
  const areTwins = Array.isArray(twins) && twins.every((index, i) => index < n && index > (twins[i - 1] ?? -1));
  if (!Number.isSafeInteger(n) || n < 4 || n > 31 || !areTwins || twins.length > faultsOf(n)) {
    throw new Error('a scenario has at least four validators, and twins of a third of them at most, in rising order');
  }
  if ((commitDepth !== 2 && commitDepth !== 3) || !Number.isSafeInteger(firstRound) || firstRound < 1) {
    throw new Error('a scenario has a commit depth of 2 or 3, and a first round');
  }
  const names = instanceNames(scenario);
  for (const { before, after } of rounds) for (const sides of [before, after]) parseSides(sides, names);
  return scenario;
}

export function formatScenario({ n, commitDepth, twins, firstRound, rounds }: TwinsScenario): string {
  return JSON.stringify({ n, commitDepth, twins, firstRound, rounds });
}
