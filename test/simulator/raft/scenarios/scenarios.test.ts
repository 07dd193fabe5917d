/** Small scenarios of a Raft cluster that once failed, or that fail when a rule is broken. Each goes as its text says. */
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readScenario } from '../../scenario.ts';
import { expectAsKept, told } from '../../scenarios/golden.ts';
import { fromMacrotask } from '../../scheduler.ts';
import { replayOf } from '../playing.ts';
import { linesOf } from '../readable.ts';
import type { RaftScenario } from '../scenario.ts';
import { simulateRaft } from '../simulation.ts';

const here = import.meta.dirname;
const files = globSync('*.json', { cwd: here }).sort();

test('there are scenarios', () => {
  expect(files.length).toBeGreaterThanOrEqual(1);
});

test.each(files)('%s goes as it is written, and everything holds', async (file) => {
  const path = join(here, file);
  const scenario = readScenario<RaftScenario>(path);
  const result = await fromMacrotask(() => simulateRaft(replayOf(scenario)));
  const took = `it takes ${(result.virtualMs / 1000).toFixed(1)} s to commit ${result.entries} entries`;
  expectAsKept(path, told(result, linesOf(scenario), took));
});
