/**
 * `npm run twins`: scenarios of one size, or one scenario.
 *
 *     npm run twins -- --n 4 --rounds 4 --scenarios 100000 --seed 1      a sample; `--from 5000` goes on where one stopped
 *     npm run twins -- --n 4 --rounds 2 --phases 1 --scenarios 100000    every scenario there is, in order
 *     npm run twins -- --file scenario.json                              one, with a line for everything that happens
 *
 * Exits with 1 when something did not hold, after the scenario and the command that plays it again.
 */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { describeViolation } from '../simulator/checkers/violation.ts';
import { Campaign, describeSummary } from './campaign.ts';
import { Execution } from './execution.ts';
import { formatScenario, parseScenario } from './scenario.ts';
import { TwinsSpace } from './space.ts';

const { values } = parseArgs({
  options: {
    file: { type: 'string' },
    n: { type: 'string', default: '4' },
    rounds: { type: 'string', default: '4' },
    phases: { type: 'string', default: '2' },
    'first-round': { type: 'string', default: '1' },
    'most-sides': { type: 'string', default: '3' },
    'commit-depth': { type: 'string', default: '2' },
    scenarios: { type: 'string', default: '1000' },
    seed: { type: 'string' },
    from: { type: 'string', default: '0' },
    count: { type: 'boolean', default: false },
  },
});

if (values.file !== undefined) process.exitCode = playOne(readFileSync(values.file, 'utf8'));
else process.exitCode = playMany();

function playOne(text: string): number {
  const { violation, rounds, commits, timeouts } = new Execution(parseScenario(text), (line) => {
    console.log(line);
  }).run();
  console.log(`${rounds} rounds, ${commits} commits, ${timeouts} timeouts`);
  console.log(violation === null ? 'everything holds' : describeViolation(violation));
  return violation === null ? 0 : 1;
}

function playMany(): number {
  const space = new TwinsSpace({
    n: whole('n', values.n),
    rounds: whole('rounds', values.rounds),
    phases: oneOf('phases', values.phases, [1, 2]),
    firstRound: whole('first-round', values['first-round']),
    mostSides: whole('most-sides', values['most-sides']),
    commitDepth: oneOf('commit-depth', values['commit-depth'], [2, 3]),
  });
  if (values.count || values.seed === undefined) {
    const { all, useful, different } = space.size();
    console.log(`${all} scenarios; ${useful} that do something new; ${different} that differ`);
    if (values.count) return 0;
  }
  const campaign = new Campaign({
    space,
    seed: values.seed === undefined ? null : whole('seed', values.seed),
    from: whole('from', values.from),
    scenarios: whole('scenarios', values.scenarios),
    print: (line) => console.log(line),
  });
  const failure = campaign.run();
  console.log(describeSummary(campaign.summary));
  if (failure === null) return 0;
  const file = join(mkdtempSync(join(tmpdir(), 'hotledger-twins-')), 'scenario.json');
  writeFileSync(file, formatScenario(failure.scenario));
  console.log(`scenario ${failure.number}: ${describeViolation(failure.violation)}`);
  console.log(formatScenario(failure.scenario));
  console.log(`npm run twins -- --file ${file}`);
  return 1;
}

function whole(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`--${name} takes a whole number, not ${text}`);
  return value;
}

function oneOf<T extends number>(name: string, text: string, choices: readonly T[]): T {
  const found = choices.find((choice) => `${choice}` === text);
  if (found === undefined) throw new Error(`--${name} is ${choices.join(' or ')}`);
  return found;
}
