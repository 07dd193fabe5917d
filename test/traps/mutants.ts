/**
 * `npm run mutants [part of a trap's name]`: takes the guards out one at a time and demands that the tests notice.
 *
 * Each mutant is an exact replacement of text on a copy of `src` and `test`, which must match exactly once; the named
 * test must pass without it and fail with it. A mutant that survives is a hole in the tests, and the exit status is 1.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { rules, traps, type Mutant, type Trap } from './table.ts';
import { copyOfTree, placesOf, replaceText } from './tree-copy.ts';

const root = join(import.meta.dirname, '..', '..');
const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');

/** Long enough for any of the tests; one that hangs has noticed. */
const TEST_TIMEOUT_MS = 120_000;

interface Verdict {
  readonly passed: boolean;
  readonly tests: number;
}

function run(directory: string, { file, name }: Mutant['test']): Verdict {
  const pattern = name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const report = join(directory, 'report.json');
  rmSync(report, { force: true });
  spawnSync(process.execPath, [vitest, 'run', file, '-t', pattern, '--reporter=json', `--outputFile=${report}`], {
    cwd: directory,
    timeout: TEST_TIMEOUT_MS,
    stdio: 'ignore',
  });
  try {
    const { numPassedTests, numFailedTests, numFailedTestSuites } = JSON.parse(readFileSync(report, 'utf8')) as {
      numPassedTests: number;
      numFailedTests: number;
      numFailedTestSuites: number;
    };
    return { passed: numFailedTests + numFailedTestSuites === 0, tests: numPassedTests + numFailedTests };
  } catch (error) {
    process.stdout.write(`  no report: ${error instanceof Error ? error.message : String(error)}\n`);
    return { passed: false, tests: 0 };
  }
}

/** @returns what is wrong with the mutant, or null when it is killed */
function judge(directory: string, mutant: Mutant): string | null {
  const places = placesOf(directory, mutant);
  if (places !== 1) return `its text is there ${places} times, not once`;
  const whole = run(directory, mutant.test);
  if (whole.tests === 0) return 'there is no such test';
  if (!whole.passed) return 'its test fails without it';
  const putBack = replaceText(directory, mutant);
  const mutated = run(directory, mutant.test);
  putBack();
  return mutated.passed ? 'SURVIVED' : null;
}

function runAll(chosen: readonly Trap[]): number {
  const directory = copyOfTree();
  let holes = 0;
  let killed = 0;
  try {
    for (const { trap, mutants } of chosen) {
      for (const [index, mutant] of mutants.entries()) {
        const problem = judge(directory, mutant);
        if (problem === null) killed++;
        else holes++;
        process.stdout.write(
          `${problem === null ? 'killed' : 'HOLE  '} ${trap} (${index + 1}): ${problem ?? mutant.test.name}\n`,
        );
      }
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  process.stdout.write(`${killed} mutants killed, ${holes} holes\n`);
  return holes === 0 && killed > 0 ? 0 : 1;
}

const wanted = process.argv[2] ?? '';
process.exitCode = runAll([...traps, ...rules].filter(({ trap }) => trap.includes(wanted)));
