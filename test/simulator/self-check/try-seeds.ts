/**
 * Seeds 1 to N of one network, until one fails: run by `main.ts` in a copy whose sources are broken.
 *
 *     node test/simulator/self-check/try-seeds.ts VALIDATORS DEPTH ROUNDS SEEDS
 *
 * Exits with 1 after the first line of what did not hold, or of what the program threw.
 */
import { describeViolation } from '../checkers/violation.ts';
import { fromMacrotask } from '../scheduler.ts';
import { simulate } from '../simulation.ts';

const [validators = 4, depth = 2, rounds = 300, seeds = 1] = process.argv.slice(2).map(Number);
const commitDepth = depth === 3 ? 3 : 2;

for (let seed = 1; seed <= seeds && process.exitCode === undefined; seed++) {
  try {
    const { violation } = await fromMacrotask(() => simulate({ seed, validators, commitDepth, rounds }));
    if (violation !== null) found(seed, describeViolation(violation));
  } catch (error) {
    found(seed, String(error));
  }
}

function found(seed: number, what: string): void {
  console.log(`seed ${seed}: ${what.split('\n')[0] ?? ''}`);
  process.exitCode = 1;
}
