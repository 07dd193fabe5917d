/**
 * `kill -9` before an effect that nobody chose: a batch, a frame, a word of a commit. Two hundred seeds, each with an
 * effect and a validator of its own, in the simulator, whose checkers look at every step: what the validator does when it
 * is back, that everything acknowledged is in the chain and durable, and a replay of every node's log at the end.
 */
import { expect, test } from 'vitest';
import { Random } from '../../src/base/random.ts';
import { AMPLE, type Cast } from '../simulator/cast.ts';
import { describeViolation } from '../simulator/checkers/violation.ts';
import type { Action } from '../simulator/episode.ts';
import type { Script } from '../simulator/scenario.ts';
import { fromMacrotask } from '../simulator/scheduler.ts';
import { simulate } from '../simulator/simulation.ts';

const SEEDS = 200;
const VALIDATORS = 4;
/** Long enough, on a calm network, for more effects than it may be given. */
const STORM_MS = 500;
const MOST_EFFECTS = 300;

function scriptOf(seed: number): Script {
  const random = new Random(seed);
  const cast: Cast = { submitters: 8, limits: AMPLE, twins: [], adversaries: [], lostDisks: [], badClocks: [] };
  const node = random.below(VALIDATORS);
  const kill: Action = { kind: 'crash', node, how: 'process', atEffect: random.below(MOST_EFFECTS), downMs: 300 };
  const episode = { number: 0, stormMs: STORM_MS, actions: [{ atMs: 0, action: kill }] };
  return { cast, episode: (number) => (number === 0 ? episode : undefined) };
}

test(
  'a validator that ends before an effect of two hundred loses nothing that was acknowledged, and goes on',
  { timeout: 10 * 60_000 },
  async () => {
    const failed: string[] = [];
    let acknowledged = 0;
    for (let seed = 1; seed <= SEEDS; seed++) {
      const commitDepth = seed % 2 === 0 ? 2 : 3;
      const options = { seed, validators: VALIDATORS, commitDepth, rounds: Infinity, script: scriptOf(seed) } as const;
      const { tally, violation } = await fromMacrotask(() => simulate(options));
      if (violation !== null) failed.push(`seed ${seed}: ${describeViolation(violation)}`);
      if (tally.of('crash: between two effects') !== 1) failed.push(`seed ${seed}: it was not killed`);
      if (tally.of('replays of everything') !== 1) failed.push(`seed ${seed}: its log was not replayed`);
      acknowledged += tally.of('submission acknowledged');
    }
    expect(failed).toEqual([]);
    expect(acknowledged).toBeGreaterThan(SEEDS);
  },
);
