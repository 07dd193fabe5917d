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
import type { Playing, Run } from './playing.ts';
import { playHotstuff } from './playing-hotstuff.ts';
import { playRaft } from './raft/playing.ts';
import type { RaftScenario } from './raft/scenario.ts';
import { readScenario, writeScenario, type AnyScenario, type Scenario } from './scenario.ts';
import { shrinkAndTell } from './shrink.ts';

const { values } = parseArgs({
  options: {
    engine: { type: 'string', default: 'hotstuff' },
    seed: { type: 'string', default: '1' },
    steps: { type: 'string', default: '1000' },
    validators: { type: 'string' },
    servers: { type: 'string' },
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
const candidates = whole('candidates', values.candidates);
const isCampaign = values.hours !== undefined;

process.exitCode = (await (values.engine === 'raft' ? runWith(raft()) : runWith(await hotstuff()))) ? 0 : 1;

function raft(): Playing<RaftScenario> {
  const servers = values.servers === undefined ? null : whole('servers', values.servers);
  return playRaft({ entries: rounds, servers: servers ?? (isCampaign ? null : 3) });
}

async function hotstuff(): Promise<Playing<Scenario>> {
  const validators = values.validators === undefined ? null : whole('validators', values.validators);
  const given = values['commit-depth'] === undefined ? null : depth(whole('commit-depth', values['commit-depth']));
  return playHotstuff({
    rounds,
    validators: validators ?? (isCampaign ? null : 4),
    commitDepth: given ?? (isCampaign ? null : 2),
    ...(values.bls ? { scheme: (await loadDefaultScheme()).scheme } : {}),
  });
}

/** @returns whether everything held */
function runWith<S extends AnyScenario<unknown>>(playing: Playing<S>): Promise<boolean> {
  if (!isCampaign) return runOne(playing);
  return new Campaign({
    playing,
    firstSeed: seed,
    untilMs: performance.now() + Number(values.hours) * 3_600_000,
    isStopped: stopped(),
    print: (line) => console.log(line),
    onFailed: (run) => shrink(playing, run),
  }).run();
}

async function runOne<S extends AnyScenario<unknown>>(playing: Playing<S>): Promise<boolean> {
  const scenario = values.scenario === undefined ? null : readScenario<S>(values.scenario);
  for (const line of scenario === null ? [] : playing.linesOf(scenario)) console.log(line);
  const startMs = performance.now();
  const onLine = values.trace ? (line: string) => console.log(line) : undefined;
  const run = scenario === null ? await playing.playSeed(seed, onLine) : await playing.play(scenario, onLine);
  const seconds = (performance.now() - startMs) / 1000;
  for (const line of run.tally.lines()) console.log(line);
  console.log(playing.summaryOf(run, seconds));
  if (run.violation !== null) console.log(describeViolation(run.violation));
  if (values.shrink) await shrink(playing, run);
  else if (values.write !== undefined) writeScenario(values.write, run.scenario);
  return run.violation === null;
}

/** By Ctrl-C, or as a service is: the report is printed all the same. */
function stopped(): () => boolean {
  let isStopped = false;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => (isStopped = true));
  return () => isStopped;
}

function shrink<S extends AnyScenario<unknown>>(playing: Playing<S>, run: Run<S>): Promise<void> {
  return shrinkAndTell(run, {
    ...playing,
    mayTry: (tried) => tried < candidates,
    path: values.write ?? `shrunk-${run.seed}.json`,
    command: playing.scenarioCommand,
    print: (line) => console.log(line),
  });
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
