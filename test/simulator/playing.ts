/** A simulated network as the command line and a campaign see it, whatever protocol its nodes speak. */
import type { AnyScenario } from './scenario.ts';
import type { Played } from './shrink.ts';
import type { Tally } from './tally.ts';

export interface Run<S> extends Played<S> {
  readonly seed: number;
  /** How far it came, in units of the protocol. */
  readonly steps: number;
  readonly tally: Tally;
}

export type OnLine = (line: string) => void;

/** @template S its scenarios @template R what a run of one gives */
export interface Playing<S extends AnyScenario<unknown>, R extends Run<S> = Run<S>> {
  /** What is counted as steps, in the plural. */
  readonly unit: string;
  /** From a macrotask of its own, as all runs. */
  playSeed(seed: number, onLine?: OnLine): Promise<R>;
  /** What was written down, to its end. */
  play(scenario: S, onLine?: OnLine): Promise<R>;
  /** What kind of network this seed has: those of one kind are counted together. */
  networkOf(seed: number): string;
  /** The one command that shows the run of this seed again. */
  commandOf(seed: number): string;
  /** What plays a scenario: all but the name of its file. */
  readonly scenarioCommand: string;
  /** One line about a run. */
  summaryOf(run: R, seconds: number): string;
  /** A scenario for a reader. */
  linesOf(scenario: S): readonly string[];
  /** Smaller versions of it, the boldest first. */
  smaller(scenario: S): Iterable<S>;
}
