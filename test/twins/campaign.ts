/** Many scenarios, one after the other, until one fails. */
import type { Violation } from '../simulator/checkers/violation.ts';
import { Execution } from './execution.ts';
import type { TwinsScenario } from './scenario.ts';
import type { TwinsSpace } from './space.ts';

export interface CampaignOptions {
  readonly space: TwinsSpace;
  /** Null: the space is enumerated in its order; else it is sampled. */
  readonly seed: number | null;
  /** Number of the first scenario, from 0. */
  readonly from: number;
  readonly scenarios: number;
  readonly print?: (line: string) => void;
}

export interface Summary {
  scenarios: number;
  rounds: number;
  commits: number;
  timeouts: number;
  /** Phases of rounds in which the network was divided. */
  partitions: number;
  /** The most rounds that it took to commit after a network had healed. */
  slowestRounds: number;
  seconds: number;
}

export interface Failure {
  readonly number: number;
  readonly scenario: TwinsScenario;
  readonly violation: Violation;
}

const PROGRESS_EVERY_MS = 10_000;

export class Campaign {
  readonly summary: Summary = {
    scenarios: 0,
    rounds: 0,
    commits: 0,
    timeouts: 0,
    partitions: 0,
    slowestRounds: 0,
    seconds: 0,
  };
  readonly #options: CampaignOptions;

  constructor(options: CampaignOptions) {
    this.#options = options;
  }

  /** @returns the first that failed */
  run(): Failure | null {
    const startMs = performance.now();
    let printAtMs = startMs + PROGRESS_EVERY_MS;
    const { from, print } = this.#options;
    let number = from;
    for (const scenario of this.#scenarios()) {
      const violation = this.#play(scenario);
      const nowMs = performance.now();
      this.summary.seconds = (nowMs - startMs) / 1000;
      if (violation !== null) return { number, scenario, violation };
      if (nowMs > printAtMs) {
        print?.(`${number + 1 - from} of ${this.#options.scenarios}: ${rateOf(this.summary)} scenarios/s`);
        printAtMs = nowMs + PROGRESS_EVERY_MS;
      }
      number++;
    }
    return null;
  }

  *#scenarios(): Generator<TwinsScenario> {
    const { space, seed, from, scenarios } = this.#options;
    if (seed !== null) {
      for (let number = from; number < from + scenarios; number++) yield space.sample(seed, number);
      return;
    }
    let number = 0;
    for (const scenario of space.scenarios()) {
      if (number >= from + scenarios) return;
      if (number++ >= from) yield scenario;
    }
  }

  #play(scenario: TwinsScenario): Violation | null {
    const { summary } = this;
    const { violation, rounds, commits, timeouts, roundsToCommit } = new Execution(scenario).run();
    summary.scenarios++;
    summary.rounds += rounds;
    summary.commits += commits;
    summary.timeouts += timeouts;
    const phases = scenario.rounds.flatMap(({ before, after }) => (after === before ? [before] : [before, after]));
    summary.partitions += phases.filter((sides) => sides.includes('|')).length;
    summary.slowestRounds = Math.max(summary.slowestRounds, roundsToCommit);
    return violation;
  }
}

function rateOf({ scenarios, seconds }: Summary): string {
  return (scenarios / seconds).toFixed(0);
}

export function describeSummary(summary: Summary): string {
  const { scenarios, rounds, commits, timeouts, partitions, slowestRounds, seconds } = summary;
  return (
    `${scenarios} scenarios, ${rounds} rounds, ${commits} commits, ${timeouts} timeouts, ${partitions} partitions; ` +
    `healed networks committed within ${slowestRounds} rounds; ${seconds.toFixed(0)} s, ${rateOf(summary)} scenarios/s`
  );
}
