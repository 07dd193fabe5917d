import { expect, test } from 'vitest';
import { faultsOf, quorumOf } from '../../src/qc/validator-set.ts';
import { partitionsOf, permutationsOf, subsetsOf } from './partitions.ts';
import { formatScenario, instanceNames, parseScenario, parseSides, type TwinsScenario } from './scenario.ts';
import { TwinsSpace, type SpaceOptions } from './space.ts';

const SMALL: readonly SpaceOptions[] = [
  { n: 4, commitDepth: 2, rounds: 1, phases: 1, firstRound: 1, mostSides: 5 },
  { n: 4, commitDepth: 2, rounds: 1, phases: 2, firstRound: 1, mostSides: 2 },
  { n: 4, commitDepth: 2, rounds: 2, phases: 1, firstRound: 1, mostSides: 2 },
  { n: 4, commitDepth: 2, rounds: 2, phases: 1, firstRound: 3, mostSides: 3 },
  { n: 7, commitDepth: 2, rounds: 1, phases: 1, firstRound: 1, mostSides: 2 },
  { n: 7, commitDepth: 2, rounds: 2, phases: 1, firstRound: 6, mostSides: 1 },
];

/** Sides as sets of names, by no way that the generator goes. */
type Division = readonly (readonly string[])[];

function divisionsOf(names: readonly string[], mostSides: number): Division[] {
  if (names.length === 0) return [[]];
  const [first, ...rest] = names as [string, ...string[]];
  return divisionsOf(rest, mostSides).flatMap((division) => [
    ...division.map((_, place) => division.map((side, i) => (i === place ? [first, ...side] : side))),
    ...(division.length < mostSides ? [[[first], ...division]] : []),
  ]);
}

function textOf(division: Division): string {
  return division
    .map((side) => [...side].sort().join(' '))
    .sort()
    .join(' | ');
}

function hears(name: string, ...divisions: readonly Division[]): number {
  const heard = divisions.flatMap((division) => division.find((side) => side.includes(name)) ?? []);
  return new Set(heard.map((other) => other.replace("'", ''))).size;
}

/** Counts scenarios one by one, and kinds by the least of all their names. */
function bruteForce({ n, rounds, phases, firstRound, mostSides }: SpaceOptions) {
  const everybody = Array.from({ length: n }, (_, index) => index);
  const inTurn = new Set(Array.from({ length: rounds + 2 }, (_, i) => (firstRound + i) % n));
  const equals = everybody.filter((index) => !inTurn.has(index));
  const counts = { all: 0, useful: 0, kinds: new Set<string>() };
  for (const twins of subsetsOf(everybody, faultsOf(n))) {
    const names = instanceNames({ n, twins });
    const divisions = divisionsOf(names, mostSides);
    const ofRound = divisions.flatMap((before) =>
      phases === 1 ? [[before, before] as const] : divisions.map((after) => [before, after] as const),
    );
    const play = (sequence: readonly (readonly [Division, Division])[]): void => {
      if (sequence.length < rounds) {
        for (const round of ofRound) play([...sequence, round]);
        return;
      }
      counts.all++;
      const stuck = sequence.slice(0, -1).some((round) => names.every((name) => hears(name, ...round) < quorumOf(n)));
      const healed = sequence.at(-1)?.every((division) => division.length === 1) ?? true;
      if (stuck || healed) return;
      counts.useful++;
      counts.kinds.add(leastName(sequence, twins, equals));
    };
    play([]);
  }
  return { all: counts.all, useful: counts.useful, different: counts.kinds.size };
}

function leastName(
  sequence: readonly (readonly [Division, Division])[],
  twins: readonly number[],
  equals: readonly number[],
): string {
  let least: string | null = null;
  for (const order of permutationsOf(equals)) {
    for (let swaps = 0; swaps < 1 << twins.length; swaps++) {
      const rename = (name: string): string => {
        const index = Number(name.replace("'", ''));
        const swapped = ((swaps >> twins.indexOf(index)) & 1) === 1 && twins.includes(index);
        const to = equals.includes(index) ? order[equals.indexOf(index)] : index;
        return `${to}${name.endsWith("'") === swapped ? '' : "'"}`;
      };
      const text = sequence
        .map((round) => round.map((division) => textOf(division.map((side) => side.map(rename)))).join(' then '))
        .join('; ');
      if (least === null || text < least) least = text;
    }
  }
  return least ?? '';
}

test.each(SMALL)('n $n, $rounds rounds of $phases phases: as many scenarios as there are by brute force', (options) => {
  const space = new TwinsSpace(options);
  const { all, useful, different } = space.size();
  expect({ all: Number(all), useful: Number(useful), different: Number(different) }).toEqual(bruteForce(options));
  const texts = Array.from(space.scenarios(), formatScenario);
  expect(texts).toHaveLength(Number(different));
  expect(new Set(texts).size).toBe(texts.length);
});

test('there are as many partitions as the numbers of Bell and Stirling say', () => {
  expect(partitionsOf(5, 5)).toHaveLength(52);
  expect(partitionsOf(5, 2)).toHaveLength(16);
  expect(partitionsOf(9, 3)).toHaveLength(3281);
  expect(partitionsOf(5, 3)[0]).toEqual([0, 0, 0, 0, 0]);
});

test('the sizes of the spaces that are run', () => {
  const size = (rounds: number, phases: 1 | 2) =>
    new TwinsSpace({ n: 4, commitDepth: 2, rounds, phases, firstRound: 1, mostSides: 3 }).size();
  expect(size(3, 1)).toEqual({ all: 275_684n, useful: 64_000n, different: 33_008n });
  expect(size(4, 2).all).toBe(4n * 41n ** 8n);
});

test.each([4, 7])('a sample of n = %i is a function of seed and number, and is of the space', (n) => {
  const space = new TwinsSpace({ n, commitDepth: 2, rounds: 4, phases: 2, firstRound: 1, mostSides: 3 });
  const take = (seed: number) => Array.from({ length: 50 }, (_, number) => space.sample(seed, number));
  expect(take(1)).toEqual(take(1));
  expect(take(1)).not.toEqual(take(2));
  for (const scenario of take(3)) {
    expect(parseScenario(formatScenario(scenario))).toEqual(scenario);
    expect(scenario.twins).toHaveLength(faultsOf(n));
    expect(scenario.rounds).toHaveLength(4);
  }
});

const GOOD: TwinsScenario = {
  n: 4,
  commitDepth: 2,
  twins: [1],
  firstRound: 1,
  rounds: [{ before: "0 1 2 | 1' 3", after: "0 1 2 3 1'" }],
};

test('sides are read as they are written', () => {
  expect(parseSides("0 1 2 | 1' 3", instanceNames(GOOD))).toEqual([0, 0, 0, 1, 1]);
});

test.each([
  ['too many twins', { ...GOOD, twins: [1, 2] }],
  ['a twin of nobody', { ...GOOD, twins: [4] }],
  ['no round to begin with', { ...GOOD, firstRound: 0 }],
  ['another depth', { ...GOOD, commitDepth: 4 }],
  ['an instance on no side', { ...GOOD, rounds: [{ before: '0 1 | 2 3', after: "0 1 2 3 1'" }] }],
  ['an instance on two sides', { ...GOOD, rounds: [{ before: "0 1 2 3 1' | 1", after: "0 1 2 3 1'" }] }],
])('a scenario with %s is not played', (_, scenario) => {
  expect(() => parseScenario(JSON.stringify(scenario))).toThrow(/scenario|partition/);
});
