import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { placesOf } from '../traps/tree-copy.ts';
import { brokenRules } from './broken-rules.ts';
import { Campaign } from './campaign.ts';
import { Execution, roundsToCommitMax } from './execution.ts';
import { parseScenario, type TwinsScenario } from './scenario.ts';
import { TwinsSpace, type SpaceOptions } from './space.ts';

const FOUR: SpaceOptions = { n: 4, commitDepth: 2, rounds: 4, phases: 2, firstRound: 1, mostSides: 3 };

function playAll(options: SpaceOptions, seed: number | null, scenarios: number) {
  const campaign = new Campaign({ space: new TwinsSpace(options), seed, from: 0, scenarios });
  expect(campaign.run()).toBeNull();
  expect(campaign.summary.slowestRounds).toBeLessThanOrEqual(roundsToCommitMax(options.n));
  return campaign.summary;
}

function linesOf(scenario: TwinsScenario): string[] {
  const lines: string[] = [];
  expect(new Execution(scenario, (line) => lines.push(line)).run().violation).toBeNull();
  return lines;
}

describe('everything holds', () => {
  test('in every scenario of one round with four validators', () => {
    expect(playAll({ ...FOUR, rounds: 1, phases: 1 }, null, 1000).scenarios).toBe(108);
  });

  test('in a sample with four validators, at both commit depths', () => {
    const { partitions, commits, timeouts } = playAll(FOUR, 1, 200);
    expect(partitions).toBeGreaterThan(800);
    expect(commits).toBeGreaterThan(400);
    expect(timeouts).toBeGreaterThan(1000);
    playAll({ ...FOUR, commitDepth: 3 }, 1, 50);
  });

  test('in a sample with seven validators', () => {
    playAll({ ...FOUR, n: 7 }, 1, 20);
  });
});

test.each(globSync('kept/*.json', { cwd: import.meta.dirname }))('everything holds in the kept scenario %s', (file) => {
  const scenario = parseScenario(readFileSync(join(import.meta.dirname, file), 'utf8'));
  expect(new Execution(scenario).run()).toMatchObject({ violation: null });
});

const SPLIT_LEADER: TwinsScenario = {
  n: 4,
  commitDepth: 2,
  twins: [1],
  firstRound: 1,
  rounds: [
    { before: "0 1 2 | 1' 3", after: "0 1 2 3 1'" },
    { before: "0 1 3 | 2 1'", after: "0 3 1' | 1 2" },
  ],
};

test('the two instances of a leader propose different blocks, and who sees both has evidence', () => {
  expect(linesOf(SPLIT_LEADER).filter((line) => line.includes('proposes block 1 in round 1'))).toHaveLength(2);
  expect(linesOf({ ...SPLIT_LEADER, rounds: [] }).join('\n')).toContain('has evidence against 1');
});

test('nothing passes between two sides', () => {
  const lines = linesOf(SPLIT_LEADER);
  expect(lines.find((line) => line.includes('1 proposes block 1 in round 1'))).toMatch(/-> 0 2, lost to 3$/);
  expect(lines.find((line) => line.includes('0 gives up round 1'))).toMatch(/-> 1 1' 2 3$/);
  expect(lines.find((line) => line.includes('0 gives up round 2'))).toMatch(/-> 1' 3, lost to 1 2$/);
});

test('a scenario goes the same way every time', () => {
  expect(linesOf(SPLIT_LEADER)).toEqual(linesOf(SPLIT_LEADER));
});

test('an instance is the production engine behind the production codecs and admission', () => {
  const text = readFileSync(join(import.meta.dirname, 'execution.ts'), 'utf8');
  for (const part of ['decodeMessage(', 'encodeMessage(', 'candidateOf(', 'fulfil(', 'runCollectJob(']) {
    expect(text).toContain(part);
  }
});

test.each(brokenRules.flatMap(({ rule, replacements }) => replacements.map((replacement) => ({ rule, replacement }))))(
  'breaking "$rule" replaces text that is there once',
  ({ replacement }) => {
    expect(placesOf(join(import.meta.dirname, '..', '..'), replacement)).toBe(1);
    expect(replacement.replace).not.toBe(replacement.find);
  },
);
