/** Networks of validators that speak HotStuff, for the command line and campaigns. */
import type { SignatureScheme } from '../../src/qc/scheme.ts';
import type { OnLine, Playing, Run } from './playing.ts';
import { linesOf } from './readable.ts';
import { replayOf, type Scenario } from './scenario.ts';
import { fromMacrotask } from './scheduler.ts';
import { simulate, type SimulationOptions, type SimulationResult } from './simulation.ts';
import { smallerScenarios } from './smaller.ts';

export interface HotstuffOptions {
  /** Of each seed. */
  readonly rounds: number;
  /** Null: each seed its own. */
  readonly validators: number | null;
  readonly commitDepth: 2 | 3 | null;
  /** Absent: one that costs nothing. */
  readonly scheme?: SignatureScheme;
}

const SIZES = [4, 4, 5, 6, 7, 10] as const;

/** What a seed is run with where the caller does not say. */
export function optionsOf(seed: number, given: Pick<HotstuffOptions, 'rounds' | 'validators' | 'commitDepth'>) {
  return {
    seed,
    rounds: given.rounds,
    validators: given.validators ?? SIZES[seed % SIZES.length]!,
    commitDepth: given.commitDepth ?? (Math.floor(seed / SIZES.length) % 2 === 0 ? 2 : 3),
  } satisfies SimulationOptions;
}

type HotstuffRun = SimulationResult & Run<Scenario>;

export function playHotstuff(given: HotstuffOptions): Playing<Scenario, HotstuffRun> {
  const scheme = given.scheme === undefined ? {} : { scheme: given.scheme };
  const run = async (options: SimulationOptions, onLine?: OnLine) => {
    const lines = onLine === undefined ? {} : { onLine };
    const result = await fromMacrotask(() => simulate({ ...options, ...scheme, ...lines }));
    return { ...result, steps: result.rounds };
  };
  return {
    unit: 'rounds',
    playSeed: (seed, onLine) => run(optionsOf(seed, given), onLine),
    play: (scenario, onLine) => run(replayOf(scenario), onLine),
    networkOf: (seed) => {
      const { commitDepth, validators } = optionsOf(seed, given);
      return `${validators} validators, depth ${commitDepth}`;
    },
    commandOf: (seed) => {
      const { commitDepth, rounds, validators } = optionsOf(seed, given);
      return `npm run sim -- --seed ${seed} --steps ${rounds} --validators ${validators} --commit-depth ${commitDepth}`;
    },
    scenarioCommand: `npm run sim --${given.scheme === undefined ? '' : ' --bls'} --scenario`,
    summaryOf,
    linesOf,
    smaller: smallerScenarios,
  };
}

function summaryOf({ digest, height, rounds, seed, virtualMs }: SimulationResult, seconds: number): string {
  return (
    `seed ${seed}: ${rounds} rounds, height ${height}, ${(virtualMs / 1000).toFixed(1)} s of virtual time, ` +
    `${seconds.toFixed(1)} s (${Math.round(rounds / seconds)} rounds/s), trace ${digest}`
  );
}
