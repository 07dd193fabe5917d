/**
 * Small scenarios that once failed, or that fail when a rule is broken. Each goes as its text says.
 * `UPDATE=1 vitest run test/simulator/scenarios` writes what happens now.
 */
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { describeViolation } from '../checkers/violation.ts';
import { linesOf } from '../readable.ts';
import { readScenario, replayOf, type Scenario } from '../scenario.ts';
import { fromMacrotask } from '../scheduler.ts';
import { simulate } from '../simulation.ts';

const here = import.meta.dirname;
const files = globSync('*.json', { cwd: here }).sort();

async function played(scenario: Scenario): Promise<string> {
  const { height, rounds, tally, violation, virtualMs } = await fromMacrotask(() => simulate(replayOf(scenario)));
  const faults = tally.lines().filter((line) => /^(adversary|clock|crash|disk|network): /.test(line));
  return [
    ...linesOf(scenario),
    `it takes ${rounds} rounds to height ${height} in ${(virtualMs / 1000).toFixed(1)} s`,
    ...faults.map((line) => `  ${line}`),
    violation === null ? 'everything holds' : describeViolation(violation),
    '',
  ].join('\n');
}

test('there are scenarios', () => {
  expect(files.length).toBeGreaterThanOrEqual(2);
});

test.each(files)('%s goes as it is written, and everything holds', async (file) => {
  const text = await played(readScenario(join(here, file)));
  expect(text).toContain('\neverything holds\n');
  const path = join(here, file.replace(/\.json$/, '.txt'));
  if (process.env['UPDATE'] === '1') writeFileSync(path, text);
  else expect(text).toBe(readFileSync(path, 'utf8'));
});
