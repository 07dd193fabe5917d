/** Seed after seed until one fails or the time is up, with what was done to the nodes counted by kind. */
import { describeViolation } from './checkers/violation.ts';
import { fromMacrotask } from './scheduler.ts';
import { simulate, type SimulationOptions, type SimulationResult } from './simulation.ts';
import { Tally } from './tally.ts';

export interface CampaignOptions {
  readonly firstSeed: number;
  /** Of each seed. */
  readonly rounds: number;
  /** Null: each seed its own. */
  readonly validators: number | null;
  readonly commitDepth: 2 | 3 | null;
  /** On the machine's own monotonic clock. */
  readonly untilMs: number;
  /** Whether to end before that, after the seed that is played. */
  readonly isStopped: () => boolean;
  readonly print: (line: string) => void;
  /** Of the run that failed, after it was printed. */
  readonly onFailed: (result: SimulationResult) => Promise<void>;
}

const SIZES = [4, 4, 5, 6, 7, 10] as const;
const PROGRESS_EVERY_MS = 10_000;

/** What a seed is run with where the caller does not say. */
export function optionsOf(seed: number, given: Pick<CampaignOptions, 'rounds' | 'validators' | 'commitDepth'>) {
  return {
    seed,
    rounds: given.rounds,
    validators: given.validators ?? SIZES[seed % SIZES.length]!,
    commitDepth: given.commitDepth ?? (Math.floor(seed / SIZES.length) % 2 === 0 ? 2 : 3),
  } satisfies SimulationOptions;
}

/** The one command that shows a run again. */
export function commandOf({ commitDepth, rounds, seed, validators }: SimulationOptions): string {
  return `npm run sim -- --seed ${seed} --steps ${rounds} --validators ${validators} --commit-depth ${commitDepth}`;
}

export class Campaign {
  readonly #options: CampaignOptions;
  readonly #tally = new Tally();
  /** Rounds by number of validators and depth. */
  readonly #rounds = new Map<string, number>();
  readonly #startMs = performance.now();
  readonly #startCpu = process.cpuUsage();
  #seed: number;
  #shownMs = 0;

  constructor(options: CampaignOptions) {
    this.#options = options;
    this.#seed = options.firstSeed;
  }

  /** @returns whether everything held */
  async run(): Promise<boolean> {
    const { isStopped, onFailed, print, untilMs } = this.#options;
    let isGood = true;
    for (; isGood && !isStopped() && performance.now() < untilMs; this.#seed++) {
      const options = optionsOf(this.#seed, this.#options);
      const result = await fromMacrotask(() => simulate(options));
      const { rounds, tally, violation } = result;
      const key = `${options.validators} validators, depth ${options.commitDepth}`;
      this.#rounds.set(key, (this.#rounds.get(key) ?? 0) + rounds);
      this.#tally.add(tally);
      if (violation !== null) {
        isGood = false;
        print(describeViolation(violation));
        print(commandOf(options));
        await onFailed(result);
      }
      if (performance.now() - this.#shownMs > PROGRESS_EVERY_MS) this.#progress();
    }
    this.#report();
    return isGood;
  }

  #progress(): void {
    this.#shownMs = performance.now();
    const seconds = (this.#shownMs - this.#startMs) / 1000;
    const rounds = this.#allRounds();
    const seeds = this.#seed - this.#options.firstSeed + 1;
    const { system, user } = process.cpuUsage(this.#startCpu);
    const cpuSeconds = (user + system) / 1_000_000;
    this.#options.print(
      `${Math.round(seconds)} s: ${seeds} seeds, ${rounds} rounds, ${Math.round(rounds / seconds)} a second, ` +
        `${Math.round(rounds / cpuSeconds)} a second of processor time`,
    );
  }

  #report(): void {
    const { firstSeed, print } = this.#options;
    this.#progress();
    print(`seeds ${firstSeed} to ${this.#seed - 1}`);
    for (const [what, rounds] of [...this.#rounds].sort(([a], [b]) => (a < b ? -1 : 1))) {
      print(`rounds, ${what.padEnd(41)} ${rounds}`);
    }
    for (const line of this.#tally.lines()) print(line);
  }

  #allRounds(): number {
    return [...this.#rounds.values()].reduce((sum, rounds) => sum + rounds, 0);
  }
}
