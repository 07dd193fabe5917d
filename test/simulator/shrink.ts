/** From a run that failed to a small scenario that fails by the same checker, and what a reader is told of it. */
import { describeViolation, type Violation } from './checkers/violation.ts';
import { minimize } from './minimize.ts';
import { writeScenario, type AnyScenario } from './scenario.ts';

/** Of the trace, printed for a reader. */
const LAST_LINES = 40;

/** Of a run, whatever engine it was of. @template S its scenario */
export interface Played<S> {
  readonly scenario: S;
  readonly violation: Violation | null;
  /** Of the whole trace. */
  readonly digest: string;
}

/** Plays a scenario, from a macrotask. */
export type Play<S> = (scenario: S, onLine?: (line: string) => void) => Promise<Played<S>>;

export interface ShrinkOptions<S> {
  readonly play: Play<S>;
  /** The boldest first (`minimize.ts`). */
  readonly smaller: (scenario: S) => Iterable<S>;
  /** Asked before each candidate, of which so many were tried. */
  readonly mayTry: (tried: number) => boolean;
}

export interface Shrunk<S> {
  readonly scenario: S;
  readonly tried: number;
  /** Nothing more can be taken out of it. */
  readonly isMinimal: boolean;
}

/** @param failed how the scenario fails */
export async function shrinkScenario<S>(
  scenario: S,
  failed: Violation,
  { mayTry, play, smaller }: ShrinkOptions<S>,
): Promise<Shrunk<S>> {
  const fails = async (candidate: S) => isSame(failed, await outcomeOf(candidate, play));
  const { isMinimal, tried, value } = await minimize(scenario, { smaller, fails, mayTry });
  return { scenario: value, tried, isMinimal };
}

/** What the simulator itself throws is a failure too, of another kind. */
async function outcomeOf<S>(scenario: S, play: Play<S>): Promise<Violation | null> {
  try {
    return (await play(scenario)).violation;
  } catch (error) {
    return { checker: 'simulator', message: String(error), details: {} };
  }
}

function isSame(one: Violation, other: Violation | null): boolean {
  return one.checker === other?.checker && one.message === other.message;
}

export interface Telling<S> extends ShrinkOptions<S> {
  /** A scenario for a reader. */
  readonly linesOf: (scenario: S) => readonly string[];
  /** Where the small scenario is written. */
  readonly path: string;
  /** What plays it: all but the name of the file. */
  readonly command: string;
  readonly print: (line: string) => void;
}

/** Shrinks a run that failed, writes it down, and prints what happens in it and the one command that plays it again. */
export async function shrinkAndTell<S extends AnyScenario<unknown>>(
  { scenario, violation }: Played<S>,
  telling: Telling<S>,
): Promise<void> {
  if (violation === null) return;
  const { command, linesOf, path, play, print } = telling;
  const shrunk = await shrinkScenario(scenario, violation, telling);
  const about = `${violation.checker}: not so: ${violation.message}`;
  const kept = { about, ...shrunk.scenario };
  writeScenario(path, kept);
  const happened: string[] = [];
  const again = await play(kept, (line) => {
    if (!isFrame(line)) happened.push(line);
  });
  const end = shrunk.isMinimal ? 'nothing more can be taken out' : 'ended before nothing more could be taken out';
  print(`shrunk in ${shrunk.tried} candidates: ${end}`);
  for (const line of linesOf(kept)) print(line);
  print(`the last of what happened, frames left out`);
  for (const line of happened.slice(-LAST_LINES)) print(`  ${readable(line)}`);
  if (again.violation !== null) print(describeViolation(again.violation));
  print(`trace ${again.digest}`);
  print(`${command} ${path}`);
}

/** A line of the trace that tells of a frame from one node to another. */
function isFrame(line: string): boolean {
  return /^\S+ \d+>\d+ /.test(line);
}

/** `12.500 3 commits ...`: when, who, what. Ids by their first digits. */
function readable(line: string): string {
  const [, atMs = '', node = '', what = ''] = /^(\S+) (\d+) (.*)$/.exec(line) ?? ['', '', '', line];
  return `at ${atMs.padStart(12)} ms  node ${node.padEnd(2)}  ${what.replace(/\b([0-9a-f]{8})[0-9a-f]{56}\b/g, '$1')}`;
}
