/**
 * `npm run test:long`: what takes minutes. Every guard of the protocol is taken out once and a test must notice
 * (mutants); property tests with many more cases; the long end-to-end runs; the package as a user installs it; a short
 * run of the benchmark. Each step has a time limit; together they take little more than an hour at the most.
 */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { longGroup } from './groups.ts';
import { conclude, line, requireAll, root, run, runTests, type FileResult, type Totals } from './run.ts';

interface Step {
  readonly name: string;
  /** Without this file the step cannot run. */
  readonly needs: string;
  /** Or which tests the runner of tests runs. */
  readonly command: readonly [string, ...string[]] | { readonly tests: readonly string[] };
  readonly env?: Readonly<Record<string, string>>;
  readonly limitMinutes: number;
}

export const steps: readonly Step[] = [
  { name: 'unused', needs: 'knip.json', command: ['knip'], limitMinutes: 1 },
  {
    name: 'package',
    needs: 'scripts/check-package.ts',
    command: ['node', 'scripts/check-package.ts'],
    limitMinutes: 2,
  },
  { name: 'mutants', needs: 'test/traps/mutants.ts', command: ['node', 'test/traps/mutants.ts'], limitMinutes: 6 },
  {
    name: 'simulator',
    needs: 'test/simulator/self-check/main.ts',
    command: ['node', 'test/simulator/self-check/main.ts'],
    limitMinutes: 8,
  },
  {
    name: 'raft simulator',
    needs: 'test/simulator/self-check/raft-rules.ts',
    command: ['node', 'test/simulator/self-check/main.ts', '--engine', 'raft'],
    limitMinutes: 8,
  },
  {
    name: 'more cases',
    needs: 'vitest.config.ts',
    command: { tests: filesWithMoreCases() },
    env: { LONG: '1' },
    limitMinutes: 9,
  },
  {
    name: 'long tests',
    needs: 'vitest.config.ts',
    command: { tests: ['--project', longGroup.name] },
    env: { LONG: '1' },
    limitMinutes: 45,
  },
  { name: 'bench', needs: 'bench/main.ts', command: ['node', 'bench/main.ts', '--smoke'], limitMinutes: 3 },
];

/** Of `npm test`: those that try more where they may take longer. */
function filesWithMoreCases(): readonly string[] {
  const files = globSync('test/**/*.test.ts', {
    cwd: root,
    exclude: longGroup.folders.map((name) => `test/${name}/**`),
  });
  return files.filter((file) => /from 'fast-check'|\['LONG'\]/.test(readFileSync(join(root, file), 'utf8')));
}

if (process.argv[1] === import.meta.filename) {
  const totals: Totals = { passed: 0, failed: 0, skipped: 0 };
  const failures: string[] = [];
  for (const step of steps) failures.push(...(await perform(step, totals)));
  // Once more at the end: hours of output may lie between.
  for (const failure of failures) console.log(failure);
  conclude(totals);
}

/** @returns what to say of it at the end of all */
async function perform(step: Step, totals: Totals): Promise<readonly string[]> {
  if (!existsSync(join(root, step.needs))) {
    totals[requireAll ? 'failed' : 'skipped']++;
    const remark = line(step.name, 0, `${requireAll ? 'FAILED' : 'left out'}: ${step.needs} is not here`);
    console.log(remark);
    return requireAll ? [remark] : [];
  }
  const options = { limitSeconds: step.limitMinutes * 60, ...(step.env ? { env: step.env } : {}) };
  const { ok, seconds, files } =
    'tests' in step.command
      ? await runTests(['--reporter=default', ...step.command.tests], options)
      : { ...(await run(step.command[0], step.command.slice(1), { ...options, live: true })), files: [] };
  totals[ok ? 'passed' : 'failed']++;
  const remark = line(step.name, seconds, ok ? 'ok' : `FAILED (the limit is ${step.limitMinutes} min)`);
  console.log(remark);
  return ok ? [] : [remark, ...files.flatMap(failuresOf)];
}

function failuresOf(file: FileResult): readonly string[] {
  if (file.status !== 'failed') return [];
  const path = relative(root, file.name);
  const failed = file.assertionResults.filter((test) => test.status === 'failed');
  if (failed.length === 0) return [`${path}: ${file.message}`];
  return failed.map((test) => [`${path}: ${test.fullName}`, ...(test.failureMessages ?? [])].join('\n'));
}
