/** Twins at length: thousands of scenarios hold, and each rule that is broken on purpose is noticed. */
import { rmSync } from 'node:fs';
import { expect, test } from 'vitest';
import { copyOfTree } from '../traps/tree-copy.ts';
import { brokenRules } from '../twins/broken-rules.ts';
import { Campaign } from '../twins/campaign.ts';
import { noticed } from '../twins/self-check.ts';
import { TwinsSpace } from '../twins/space.ts';

test('everything holds in four thousand scenarios', { timeout: 1_200_000 }, () => {
  const space = new TwinsSpace({ n: 4, commitDepth: 2, rounds: 4, phases: 2, firstRound: 1, mostSides: 3 });
  const campaign = new Campaign({ space, seed: 1000, from: 0, scenarios: 4_000 });
  expect(campaign.run()).toBeNull();
  expect(campaign.summary.scenarios).toBe(4_000);
});

test.each(brokenRules)('it is noticed when this does not hold: $rule', { timeout: 900_000 }, (broken) => {
  const directory = copyOfTree();
  try {
    expect(noticed(directory, broken, 1)).not.toBeNull();
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
