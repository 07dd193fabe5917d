/**
 * `npm run fuzz`: every decoder, admission, verified reads and running engines, with new seeds until time is up.
 *
 *     npm run fuzz -- --minutes 60                               all of them in turn, a seed each
 *     npm run fuzz -- --minutes 5 --only 'sealed block'          one of them
 *     npm run fuzz -- --only 'message' --seed 7 --runs 1000      one batch, again
 *
 * Without --seed it starts at the second of the day's clock. Exits with 1 when something did not hold, after the
 * smallest input that shows it and the one line that shows it again.
 */
import { parseArgs } from 'node:util';
import type { Tally } from './run.ts';
import type { Target } from './target.ts';
import { targets } from './targets.ts';

const PROGRESS_EVERY_MS = 30_000;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string' },
    seed: { type: 'string' },
    only: { type: 'string' },
    runs: { type: 'string' },
  },
});

const chosen = targets.filter(({ name }) => values.only === undefined || name === values.only);
if (chosen.length === 0) {
  throw new Error(`--only takes one of: ${targets.map(({ name }) => name).join(', ')}`);
}
const firstSeed = values.seed === undefined ? Math.floor(Date.now() / 1000) : whole('seed', values.seed);
const runs = values.runs === undefined ? null : whole('runs', values.runs);
const minutes = values.minutes === undefined ? 0 : Number(values.minutes);
if (!(minutes >= 0)) throw new Error(`--minutes takes a number, not ${values.minutes}`);

interface Sum extends Tally {
  readonly seconds: number;
}

const sums = new Map<string, Sum>();
const startMs = performance.now();
const untilMs = startMs + minutes * 60_000;
let nextProgressMs = startMs + PROGRESS_EVERY_MS;

try {
  // At least once through all of them; then for as long as there is time.
  for (let seed = firstSeed, isFirst = true; isFirst || performance.now() < untilMs; seed++, isFirst = false) {
    for (const target of chosen) {
      if (!isFirst && performance.now() >= untilMs) break;
      await runBatch(target, seed);
    }
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
for (const line of summary()) console.log(line);

async function runBatch(target: Target, seed: number): Promise<void> {
  const before = performance.now();
  const tally = await target.run({ seed, runs: runs ?? target.runsPerBatch });
  const sum = sums.get(target.name) ?? { cases: 0, accepted: 0, refused: 0, seconds: 0 };
  sums.set(target.name, {
    cases: sum.cases + tally.cases,
    accepted: sum.accepted + tally.accepted,
    refused: sum.refused + tally.refused,
    seconds: sum.seconds + (performance.now() - before) / 1000,
  });
  if (performance.now() < nextProgressMs) return;
  nextProgressMs = performance.now() + PROGRESS_EVERY_MS;
  console.log(`${elapsed()} s: ${total()} cases, at seed ${seed}`);
}

function summary(): readonly string[] {
  const lines = [...sums].map(([name, { accepted, cases, refused, seconds }]) => {
    const rate = Math.round(cases / seconds);
    return `${name.padEnd(32)}${column(cases, 'cases')}${column(rate, '/s')}${column(accepted, 'accepted')}${column(refused, 'refused')}`;
  });
  return [...lines, `${total()} cases in ${elapsed()} s, from seed ${firstSeed}`];
}

function column(value: number, unit: string): string {
  return `${String(value).padStart(10)} ${unit}`;
}

function total(): number {
  return [...sums.values()].reduce((sum, { cases }) => sum + cases, 0);
}

function elapsed(): number {
  return Math.round((performance.now() - startMs) / 1000);
}

function whole(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`--${name} takes a whole number, not ${text}`);
  return value;
}
