import { expect, test } from 'vitest';
import { Campaign } from './campaign.ts';
import type { Playing, Run } from './playing.ts';
import type { AnyScenario } from './scenario.ts';
import { Tally } from './tally.ts';

type Scenario = AnyScenario<never>;

/** Plays nothing, up to a seed at which the simulator itself fails. */
const brokenAt = (seed: number): Playing<Scenario> => ({
  unit: 'rounds',
  playSeed: (played): Promise<Run<Scenario>> => {
    if (played === seed) return Promise.reject(new Error('the dice fell off the table'));
    const scenario = { seed: played, episodes: [] };
    return Promise.resolve({ seed: played, steps: 10, tally: new Tally(), violation: null, digest: '', scenario });
  },
  play: () => Promise.reject(new Error('nothing is played again')),
  networkOf: () => 'none',
  commandOf: (played) => `play ${played}`,
  scenarioCommand: '',
  summaryOf: () => '',
  linesOf: () => [],
  smaller: () => [],
});

test('a throw of the simulator itself is a finding with its seed, and the report is printed all the same', async () => {
  const said: string[] = [];
  const campaign = new Campaign({
    playing: brokenAt(7),
    firstSeed: 5,
    untilMs: Infinity,
    isStopped: () => false,
    print: (line) => void said.push(line),
    onFailed: () => Promise.reject(new Error('there is no run to shrink')),
  });
  expect(await campaign.run()).toBe(false);
  const finding = said.findIndex((line) => line.includes('the dice fell off the table'));
  expect(said[finding + 1]).toBe('play 7');
  expect(said).toContain('seeds 5 to 7');
  expect(said.some((line) => /^rounds, none +20$/.test(line))).toBe(true);
});
