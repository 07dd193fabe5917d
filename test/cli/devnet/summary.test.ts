import { describe, expect, test } from 'vitest';
import { tellSummary } from '../../../src/cli/devnet.ts';
import type { Terminal } from '../../../src/cli/terminal.ts';
import { LatencySample } from '../../../src/cli/devnet/latency.ts';
import { summarize, type DevnetFacts, type ProcessSummary } from '../../../src/cli/devnet/summary.ts';

function processAt(name: string, height: number | null, stateRoot: string | null = 'aa'): ProcessSummary {
  return { name, role: 'validator', peerId: name, height, stateRoot, rssBytes: 1 };
}

const GOOD: DevnetFacts = {
  chainId: 'devnet-00',
  durationSeconds: 30,
  processes: [processAt('v1', 9), processAt('v2', 9)],
  events: { submitted: 10, acknowledged: 9, committed: 9, refused: 1, refusedBy: { 'not-joined': 1 }, unanswered: 0 },
  stakes: { proposed: 3, decided: 3, refusedBy: {}, missing: 0 },
  adversaries: {
    adversaries: 2,
    attempts: 3,
    refused: 3,
    refusedBy: { 'field-not-yours': 3 },
    answeredAsBefore: 0,
    accepted: [],
    records: 0,
  },
  latencyMs: { samples: 9, p50: 1, p90: 2, p99: 3, max: 3 },
  reads: { ok: 5, failed: 0, firstFailure: null },
  missing: [],
  unchecked: 0,
};

describe('the verdict over a devnet', () => {
  test('is good when roots agree, nothing is missing and no read failed', () => {
    expect(summarize(GOOD)).toMatchObject({ ok: true, commonHeight: 9, problems: [] });
  });

  test.each<[string, Partial<DevnetFacts>, RegExp]>([
    [
      'a process does not answer',
      { processes: [processAt('v1', 9), processAt('v2', null, null)] },
      /no answer from v2/,
    ],
    ['heights differ', { processes: [processAt('v1', 9), processAt('v2', 8)] }, /heights differ: 9, 8/],
    ['roots differ', { processes: [processAt('v1', 9), processAt('v2', 9, 'bb')] }, /state roots differ at height 9/],
    [
      'an acknowledged event is missing',
      { missing: [{ peerId: 'p', acknowledgedSeq: 5, recordSeq: 4 }] },
      /1 nodes miss an acknowledged event/,
    ],
    ['a node could not be looked for', { unchecked: 1 }, /could not be checked/],
    ['a read failed', { reads: { ok: 5, failed: 2, firstFailure: 'too-old' } }, /2 verified reads failed.*too-old/],
    [
      'a forgery was acknowledged',
      { adversaries: { ...GOOD.adversaries, accepted: ['self-made-stake'] } },
      /1 forgeries were acknowledged: self-made-stake/,
    ],
    ['a stake is missing', { stakes: { ...GOOD.stakes, missing: 2 } }, /2 nodes miss a stake that was decided/],
    ['an adversary has a record', { adversaries: { ...GOOD.adversaries, records: 1 } }, /1 adversaries have a record/],
    ['nothing was acknowledged', { events: { ...GOOD.events, acknowledged: 0 } }, /nothing was acknowledged/],
  ])('is bad when %s', (_what, facts, problem) => {
    const summary = summarize({ ...GOOD, ...facts });
    expect(summary.ok).toBe(false);
    expect(summary.problems.join()).toMatch(problem);
  });
});

describe('telling the summary', () => {
  function told(facts: DevnetFacts, json: boolean): { lines: string[]; thrown: unknown } {
    const lines: string[] = [];
    try {
      tellSummary(summarize(facts), json, { out: (line: string) => lines.push(line) } as unknown as Terminal);
      return { lines, thrown: undefined };
    } catch (thrown) {
      return { lines, thrown };
    }
  }

  test('a good one is told without an error', () => {
    const { lines, thrown } = told(GOOD, false);
    expect(thrown).toBeUndefined();
    expect(lines).toContain('verified reads  5 ok, 0 failed');
  });

  test('a bad one is one JSON object, and an error with its problems', () => {
    const { lines, thrown } = told({ ...GOOD, unchecked: 2 }, true);
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ ok: false, unchecked: 2 });
    expect(thrown).toMatchObject({ code: 'devnet-failed', told: true, exit: 1 });
  });
});

describe('latency percentiles', () => {
  test('are exact while all samples are kept', () => {
    const sample = new LatencySample();
    expect(sample.percentiles()).toBeUndefined();
    for (let ms = 100; ms >= 1; ms--) sample.add(ms);
    expect(sample.percentiles()).toEqual({ samples: 100, p50: 50, p90: 90, p99: 99, max: 100 });
  });

  test('stay close to the truth, in bounded memory, over many', () => {
    const sample = new LatencySample();
    for (let i = 0; i < 100_000; i++) sample.add(i % 1000);
    const found = sample.percentiles();
    expect(found).toMatchObject({ samples: 100_000, max: 999 });
    expect(found?.p50).toBeGreaterThan(480);
    expect(found?.p50).toBeLessThan(520);
  });
});
