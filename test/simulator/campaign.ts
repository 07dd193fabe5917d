/** Seed after seed until one fails or the time is up, with what was done to the nodes counted by kind. */
import { describeViolation } from './checkers/violation.ts';
import type { Playing, Run } from './playing.ts';
import type { AnyScenario } from './scenario.ts';
import { textOf } from './stage.ts';
import { Tally } from './tally.ts';

export interface CampaignOptions<S extends AnyScenario<unknown>> {
  readonly playing: Playing<S>;
  readonly firstSeed: number;
  /** On the machine's own monotonic clock. */
  readonly untilMs: number;
  /** Whether to end before that, after the seed that is played. */
  readonly isStopped: () => boolean;
  readonly print: (line: string) => void;
  /** Of the run that failed, after it was printed. */
  readonly onFailed: (run: Run<S>) => Promise<void>;
}

const PROGRESS_EVERY_MS = 10_000;

export class Campaign<S extends AnyScenario<unknown>> {
  readonly #options: CampaignOptions<S>;
  readonly #tally = new Tally();
  /** Steps by kind of network. */
  readonly #steps = new Map<string, number>();
  readonly #startMs = performance.now();
  readonly #startCpu = process.cpuUsage();
  #seed: number;
  #shownMs = 0;

  constructor(options: CampaignOptions<S>) {
    this.#options = options;
    this.#seed = options.firstSeed;
  }

  /** @returns whether everything held */
  async run(): Promise<boolean> {
    const { isStopped, onFailed, playing, print, untilMs } = this.#options;
    let isGood = true;
    for (; isGood && !isStopped() && performance.now() < untilMs; this.#seed++) {
      const run = await this.#play();
      if (run === null) {
        isGood = false;
        continue;
      }
      const { steps, tally, violation } = run;
      const network = playing.networkOf(this.#seed);
      this.#steps.set(network, (this.#steps.get(network) ?? 0) + steps);
      this.#tally.add(tally);
      if (violation !== null) {
        isGood = false;
        print(describeViolation(violation));
        print(playing.commandOf(this.#seed));
        await onFailed(run);
      }
      if (performance.now() - this.#shownMs > PROGRESS_EVERY_MS) this.#progress();
    }
    this.#report();
    return isGood;
  }

  /** @returns null when the simulator itself threw, which is a finding too */
  async #play(): Promise<Run<S> | null> {
    const { playing, print } = this.#options;
    try {
      return await playing.playSeed(this.#seed);
    } catch (error) {
      print(`simulator: not so: a run ends by itself (${textOf(error)})`);
      print(playing.commandOf(this.#seed));
      return null;
    }
  }

  #progress(): void {
    this.#shownMs = performance.now();
    const seconds = (this.#shownMs - this.#startMs) / 1000;
    const steps = this.#allSteps();
    const seeds = this.#seed - this.#options.firstSeed + 1;
    const { system, user } = process.cpuUsage(this.#startCpu);
    const cpuSeconds = (user + system) / 1_000_000;
    this.#options.print(
      `${Math.round(seconds)} s: ${seeds} seeds, ${steps} ${this.#options.playing.unit}, ` +
        `${Math.round(steps / seconds)} a second, ${Math.round(steps / cpuSeconds)} a second of processor time`,
    );
  }

  #report(): void {
    const { firstSeed, playing, print } = this.#options;
    this.#progress();
    print(`seeds ${firstSeed} to ${this.#seed - 1}`);
    for (const [network, steps] of [...this.#steps].sort(([a], [b]) => (a < b ? -1 : 1))) {
      print(`${`${playing.unit}, ${network}`.padEnd(48)} ${steps}`);
    }
    for (const line of this.#tally.lines()) print(line);
  }

  #allSteps(): number {
    return [...this.#steps.values()].reduce((sum, steps) => sum + steps, 0);
  }
}
