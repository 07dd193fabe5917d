import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readScenario, writeScenario } from '../scenario.ts';
import { fromMacrotask } from '../scheduler.ts';
import { raftOptionsOf, replayOf } from './playing.ts';
import type { RaftScenario } from './scenario.ts';
import { simulateRaft } from './simulation.ts';

/** Each with its own number of servers. */
const SEEDS = Array.from({ length: 10 }, (_, place) => place + 1);
const ENTRIES = 60;

describe('a run of a Raft cluster is a function of its seed, and everything holds', () => {
  test.each(SEEDS)('seed %i, twice', { timeout: 60_000 }, async (seed) => {
    const options = raftOptionsOf(seed, { entries: ENTRIES, servers: null });
    const first = await fromMacrotask(() => simulateRaft(options));
    expect(first.violation).toBeNull();
    expect(first.entries).toBeGreaterThanOrEqual(ENTRIES);
    const second = await fromMacrotask(() => simulateRaft(options));
    expect(second.digest).toBe(first.digest);
    expect(second.tally.counts).toEqual(first.tally.counts);
  });
});

test('another seed is another run', async () => {
  const run = (seed: number) => fromMacrotask(() => simulateRaft({ seed, servers: 3, entries: 20 }));
  expect((await run(1)).digest).not.toBe((await run(2)).digest);
});

test('what a seed made of it, written down and read again, plays the same', { timeout: 60_000 }, async () => {
  const path = join(mkdtempSync(join(tmpdir(), 'hotledger-scenario-')), 'run.json');
  const first = await fromMacrotask(() => simulateRaft({ seed: 5, servers: 3, entries: 100 }));
  writeScenario(path, first.scenario);
  const scenario = readScenario<RaftScenario>(path);
  rmSync(path);
  const second = await fromMacrotask(() => simulateRaft(replayOf(scenario)));
  expect(second.digest).toBe(first.digest);
});
