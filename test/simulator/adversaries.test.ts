import { expect, test } from 'vitest';
import { ADVERSARIES, type AdversaryKind } from './adversaries.ts';
import { AMPLE, type Cast } from './cast.ts';
import { episodeOf } from './episode.ts';
import type { Script } from './scenario.ts';
import { fromMacrotask } from './scheduler.ts';
import { simulate } from './simulation.ts';

const NOBODY: Cast = { submitters: 2, limits: AMPLE, twins: [], adversaries: [], lostDisks: [], badClocks: [] };

function run(seed: number, cast: Cast) {
  const nodes = 4 + cast.twins.length;
  const script: Script = { cast, episode: (number) => episodeOf(seed, number, nodes, cast) };
  return fromMacrotask(() => simulate({ seed, validators: 4, commitDepth: 2, rounds: 50, script }));
}

/** What shows that it was at work. */
const TRACES: Partial<Record<AdversaryKind, RegExp>> = {
  mutator: /^message refused: (undecodable|non-canonical)/,
  equivocator: /^refused: already-voted|signed two different ballots/,
  'stale-parent leader': /^refused: certificate-below-timeouts/,
  forger: /^message refused: (certificate-invalid|quorum-missing|timeout-certificate-invalid)/,
};

test.each(ADVERSARIES)('one %s in four harms nobody', async (kind) => {
  const { tally, violation } = await run(11, { ...NOBODY, adversaries: [{ index: 1, kind }] });
  expect(violation).toBeNull();
  const trace = TRACES[kind];
  if (trace !== undefined) expect([...tally.counts.keys()].some((what) => trace.test(what))).toBe(true);
});

test('two validators with one key harm nobody', async () => {
  const { tally, violation } = await run(12, { ...NOBODY, twins: [2] });
  expect(violation).toBeNull();
  expect(tally.of('adversary: a twin forgets that it has one')).toBeGreaterThan(0);
});

test('a disk that is lost makes a validator that follows and never signs', async () => {
  const cast = { ...NOBODY, lostDisks: [3] };
  const lose = { kind: 'crash', node: 3, how: 'disk', atEffect: null, downMs: 20 } as const;
  const script: Script = {
    cast,
    episode: (number) =>
      number > 2 ? undefined : { number, stormMs: 400, actions: number === 1 ? [{ atMs: 100, action: lose }] : [] },
  };
  const { tally, violation } = await fromMacrotask(() =>
    simulate({ seed: 5, validators: 4, commitDepth: 3, rounds: Infinity, script }),
  );
  expect(violation).toBeNull();
  expect(tally.of('crash: disk')).toBe(1);
  expect(tally.of('this validator does not sign: safety-record-missing')).toBe(1);
});
