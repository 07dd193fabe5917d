/** Small scenarios that once failed, or that fail when a rule is broken. Each goes as its text says. */
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { linesOf } from '../readable.ts';
import { readScenario, replayOf } from '../scenario.ts';
import { fromMacrotask } from '../scheduler.ts';
import { simulate } from '../simulation.ts';
import { expectAsKept, told } from './golden.ts';

const here = import.meta.dirname;
const files = globSync('*.json', { cwd: here }).sort();

test('there are scenarios', () => {
  expect(files.length).toBeGreaterThanOrEqual(2);
});

test.each(files)('%s goes as it is written, and everything holds', async (file) => {
  const path = join(here, file);
  const scenario = readScenario(path);
  const result = await fromMacrotask(() => simulate(replayOf(scenario)));
  const { height, rounds, virtualMs } = result;
  const took = `it takes ${rounds} rounds to height ${height} in ${(virtualMs / 1000).toFixed(1)} s`;
  expectAsKept(path, told(result, linesOf(scenario), took));
});
