/** Raft clusters, for the command line and campaigns. */
import type { OnLine, Playing, Run } from '../playing.ts';
import { fromMacrotask } from '../scheduler.ts';
import { linesOf } from './readable.ts';
import { scriptOf, type RaftScenario } from './scenario.ts';
import { simulateRaft, type RaftSimulationOptions, type RaftSimulationResult } from './simulation.ts';
import { smallerScenarios } from './smaller.ts';

export interface RaftOptions {
  /** To commit, of each seed. */
  readonly entries: number;
  /** Null: each seed its own. */
  readonly servers: number | null;
}

type RaftRun = RaftSimulationResult & Run<RaftScenario>;

const SIZES = [3, 3, 5, 4, 3, 2, 5, 1] as const;

/** What a seed is run with where the caller does not say. */
export function raftOptionsOf(seed: number, { entries, servers }: RaftOptions) {
  return { seed, entries, servers: servers ?? SIZES[seed % SIZES.length]! } satisfies RaftSimulationOptions;
}

export function replayOf(scenario: RaftScenario): RaftSimulationOptions {
  return { seed: scenario.seed, servers: scenario.servers, entries: Infinity, script: scriptOf(scenario) };
}

export function playRaft(given: RaftOptions): Playing<RaftScenario, RaftRun> {
  const run = async (options: RaftSimulationOptions, onLine?: OnLine) => {
    const lines = onLine === undefined ? {} : { onLine };
    const result = await fromMacrotask(() => simulateRaft({ ...options, ...lines }));
    return { ...result, steps: result.entries };
  };
  return {
    unit: 'entries',
    playSeed: (seed, onLine) => run(raftOptionsOf(seed, given), onLine),
    play: (scenario, onLine) => run(replayOf(scenario), onLine),
    networkOf: (seed) => `${raftOptionsOf(seed, given).servers} servers`,
    commandOf: (seed) => {
      const { entries, servers } = raftOptionsOf(seed, given);
      return `npm run sim -- --engine raft --seed ${seed} --steps ${entries} --servers ${servers}`;
    },
    scenarioCommand: 'npm run sim -- --engine raft --scenario',
    summaryOf,
    linesOf,
    smaller: smallerScenarios,
  };
}

function summaryOf({ digest, entries, seed, virtualMs }: RaftSimulationResult, seconds: number): string {
  return (
    `seed ${seed}: ${entries} entries, ${(virtualMs / 1000).toFixed(1)} s of virtual time, ` +
    `${seconds.toFixed(1)} s (${Math.round(entries / seconds)} entries/s), trace ${digest}`
  );
}
