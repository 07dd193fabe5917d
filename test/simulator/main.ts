/**
 * `npm run sim`: one seed, or new seeds for hours.
 *
 *     npm run sim -- --seed 7 --steps 2000 --validators 4 --commit-depth 2     one run; `--trace` prints its every line
 *     npm run sim -- --seed 7 --steps 50 --bls                                 real signatures, at 2 ms a certificate
 *     npm run sim -- --seed 7 --write run.json                                 writes down what was played
 *     npm run sim -- --scenario run.json                                       plays what was written down
 *     npm run sim -- --seed 7 --shrink                                         what fails, as small as it still fails
 *     npm run sim -- --hours 8 --seed 100000                                   seeds from there on, until one fails
 *
 * Exits with 1 when something did not hold, after the one command that shows it again. What `--hours` finds is shrunk
 * at once, and a signal ends it with its report; `--candidates` bounds how many smaller scenarios are tried (1000), `--write` names the file (`shrunk-7.json`).
 */
import { parseArgs } from 'node:util';
import { loadDefaultScheme } from '../../src/qc/default-scheme.ts';
import { describeViolation } from './checkers/violation.ts';
import { Campaign } from './campaign.ts';
import { linesOf } from './readable.ts';
import { readScenario, replayOf, writeScenario } from './scenario.ts';
import { fromMacrotask } from './scheduler.ts';
import { shrinkAndTell, type Play } from './shrink.ts';
import { simulate, type SimulationOptions, type SimulationResult } from './simulation.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    steps: { type: 'string', default: '1000' },
    validators: { type: 'string' },
    'commit-depth': { type: 'string' },
    hours: { type: 'string' },
    trace: { type: 'boolean', default: false },
    bls: { type: 'boolean', default: false },
    scenario: { type: 'string' },
    write: { type: 'string' },
    shrink: { type: 'boolean', default: false },
    candidates: { type: 'string', default: '1000' },
  },
});

const seed = whole('seed', values.seed);
const rounds = whole('steps', values.steps);
const validators = values.validators === undefined ? null : whole('validators', values.validators);
const commitDepth = values['commit-depth'] === undefined ? null : depth(whole('commit-depth', values['commit-depth']));

const candidates = whole('candidates', values.candidates);
const scheme = values.bls ? { scheme: (await loadDefaultScheme()).scheme } : {};

const play: Play = (scenario, onLine) =>
  fromMacrotask(() => simulate({ ...replayOf(scenario), ...scheme, ...(onLine === undefined ? {} : { onLine }) }));

const isGood =
  values.hours === undefined
    ? await runOne({ seed, rounds, validators: validators ?? 4, commitDepth: commitDepth ?? 2 })
    : await new Campaign({
        firstSeed: seed,
        rounds,
        validators,
        commitDepth,
        untilMs: performance.now() + Number(values.hours) * 3_600_000,
        isStopped: stopped(),
        print: (line) => console.log(line),
        onFailed: shrink,
      }).run();
process.exitCode = isGood ? 0 : 1;

async function runOne(given: SimulationOptions): Promise<boolean> {
  const scenario = values.scenario === undefined ? null : readScenario(values.scenario);
  for (const line of scenario === null ? [] : linesOf(scenario)) console.log(line);
  const startMs = performance.now();
  const result = await fromMacrotask(() =>
    simulate({
      ...(scenario === null ? given : replayOf(scenario)),
      ...scheme,
      ...(values.trace ? { onLine: (line: string) => console.log(line) } : {}),
    }),
  );
  const seconds = (performance.now() - startMs) / 1000;
  print(result, seconds);
  if (values.shrink) await shrink(result);
  else if (values.write !== undefined) writeScenario(values.write, result.scenario);
  return result.violation === null;
}

/** By Ctrl-C, or as a service is: the report is printed all the same. */
function stopped(): () => boolean {
  let isStopped = false;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => (isStopped = true));
  return () => isStopped;
}

function shrink(result: SimulationResult): Promise<void> {
  return shrinkAndTell(result, {
    play,
    mayTry: (tried) => tried < candidates,
    path: values.write ?? `shrunk-${result.seed}.json`,
    command: `npm run sim --${values.bls ? ' --bls' : ''} --scenario`,
    print: (line) => console.log(line),
  });
}

function print(
  { digest, height, rounds: done, seed: played, tally, violation, virtualMs }: SimulationResult,
  seconds: number,
): void {
  for (const line of tally.lines()) console.log(line);
  console.log(
    `seed ${played}: ${done} rounds, height ${height}, ${(virtualMs / 1000).toFixed(1)} s of virtual time, ` +
      `${seconds.toFixed(1)} s (${Math.round(done / seconds)} rounds/s), trace ${digest}`,
  );
  if (violation !== null) console.log(describeViolation(violation));
}

function whole(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`--${name} takes a whole number, not ${text}`);
  return value;
}

function depth(value: number): 2 | 3 {
  if (value !== 2 && value !== 3) throw new Error('--commit-depth is 2 or 3');
  return value;
}
