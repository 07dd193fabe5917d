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
  return fromMacrotask(() => simulate({ seed, validators: 4, commitDepth: 2, rounds: 60, script }));
}

/** What shows that each was at work: what it did, and by what the others refused it. Parts of what is counted. */
const TRACES: Readonly<Record<AdversaryKind, readonly string[]>> = {
  'silent leader': ['a proposal withheld'],
  'vote withholder': ['a vote withheld'],
  mute: ['anything withheld'],
  'two-faced': ['a frame for half of the others'],
  'double voter': ['two votes of a round', 'a validator signed two different ballots for a round'],
  mutator: [
    ...['proposal', 'vote', 'timeout', 'certificate', 'timeoutCertificate', 'witness', 'events'].map(
      (kind) => `mutated: ${kind}`,
    ),
    'message refused: undecodable',
    'message refused: certificate-invalid',
    'message refused: signature-invalid',
    'ballot-signature-invalid',
  ],
  flooder: ['a frame a hundred times'],
  replayer: ['a frame of before'],
  equivocator: ['a validator signed two different ballots for a round'],
  forger: [
    'a vote for a block that nobody made',
    'a validator signed two different ballots for a round',
    'a certificate of a later round',
    'a certificate with a signer twice',
    'message refused: certificate-invalid',
    'a certificate of too few',
    'a certificate of too few, well signed',
    'message refused: quorum-missing',
    'a timeout certificate of those who know less',
    'message refused: timeout-certificate-invalid',
    'a timeout that knows more than it shows',
    'message refused: timeout-high-round-mismatch',
    'a timeout with a certificate of long ago',
    'message refused: timeout-round-unentered',
    'a block on another parent than its certificate names',
    'message refused: justify-mismatch',
    'a block with a wrong state root',
    'refused: state-root-mismatch',
  ],
  'lying server': [
    'a server has nothing',
    'a server has the first alone',
    'a server leaves the first out',
    'a server turns the order',
    'fetch refused: fetch-unserved',
  ],
  'stale-parent leader': ['a certificate is shown to one alone', 'refused: certificate-below-timeouts'],
};

test.each(ADVERSARIES)('one %s in four is noticed and harms nobody', { timeout: 60_000 }, async (kind) => {
  const { tally, violation } = await run(16, { ...NOBODY, adversaries: [{ index: 1, kind }] });
  expect(violation).toBeNull();
  const counted = [...tally.counts.keys()];
  expect(TRACES[kind].filter((trace) => !counted.some((what) => what.includes(trace)))).toEqual([]);
});

test('two validators with one key harm nobody', async () => {
  const { tally, violation } = await run(16, { ...NOBODY, twins: [2] });
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
