import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadDefaultScheme } from '../../src/qc/default-scheme.ts';
import { optionsOf } from './playing-hotstuff.ts';
import { readScenario, scriptOf, writeScenario } from './scenario.ts';
import { fromMacrotask } from './scheduler.ts';
import { simulate } from './simulation.ts';

/** Each with its own number of validators and commit depth. */
const SEEDS = Array.from({ length: process.env['LONG'] === '1' ? 24 : 6 }, (_, place) => place + 1);
const ROUNDS = 25;

describe('a run is a function of its seed, and everything holds', () => {
  test.each(SEEDS)('seed %i, twice', { timeout: 60_000 }, async (seed) => {
    const options = optionsOf(seed, { rounds: ROUNDS, validators: null, commitDepth: null });
    const first = await fromMacrotask(() => simulate(options));
    expect(first.violation).toBeNull();
    expect(first.rounds).toBeGreaterThanOrEqual(ROUNDS);
    const second = await fromMacrotask(() => simulate(options));
    expect(second.digest).toBe(first.digest);
    expect(second.tally.counts).toEqual(first.tally.counts);
  });
});

test('another seed is another run', async () => {
  const run = (seed: number) => fromMacrotask(() => simulate({ seed, validators: 4, commitDepth: 2, rounds: 20 }));
  expect((await run(1)).digest).not.toBe((await run(2)).digest);
});

test('what a seed made of it, written down and read again, plays the same', async () => {
  const path = join(mkdtempSync(join(tmpdir(), 'hotledger-scenario-')), 'run.json');
  const first = await fromMacrotask(() => simulate({ seed: 5, validators: 4, commitDepth: 2, rounds: 60 }));
  writeScenario(path, first.scenario);
  const scenario = readScenario(path);
  rmSync(path);
  const second = await fromMacrotask(() => simulate({ ...scenario, rounds: Infinity, script: scriptOf(scenario) }));
  expect(second.digest).toBe(first.digest);
});

test('real signatures make the same kind of run', { timeout: 60_000 }, async () => {
  const { scheme } = await loadDefaultScheme();
  const options = { seed: 6, validators: 4, commitDepth: 2, rounds: 15, scheme } as const;
  const first = await fromMacrotask(() => simulate(options));
  expect(first.violation).toBeNull();
  expect((await fromMacrotask(() => simulate(options))).digest).toBe(first.digest);
});
