/**
 * `npm run test:long`: what takes minutes. Every guard of the protocol is taken out once and a test must notice
 * (mutants); property tests with many more cases; the long end-to-end runs; the package as a user installs it; a short
 * run of the benchmark. Each step has a time limit; together they take little more than an hour at the most.
 */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { longGroup } from './groups.ts';
import { conclude, line, requireAll, root, run, type Totals } from './run.ts';

interface Step {
  readonly name: string;
  /** Without this file the step cannot run. */
  readonly needs: string;
  readonly command: readonly [string, ...string[]];
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
    limitMinutes: 6,
  },
  {
    name: 'raft simulator',
    needs: 'test/simulator/self-check/raft-rules.ts',
    command: ['node', 'test/simulator/self-check/main.ts', '--engine', 'raft'],
    limitMinutes: 7,
  },
  {
    name: 'more cases',
    needs: 'vitest.config.ts',
    command: ['vitest', 'run', ...filesWithMoreCases()],
    env: { LONG: '1' },
    limitMinutes: 12,
  },
  {
    name: 'long tests',
    needs: 'vitest.config.ts',
    command: ['vitest', 'run', '--project', longGroup.name],
    env: { LONG: '1' },
    limitMinutes: 44,
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
  for (const step of steps) await perform(step, totals);
  conclude(totals);
}

async function perform(step: Step, totals: Totals): Promise<void> {
  if (!existsSync(join(root, step.needs))) {
    totals[requireAll ? 'failed' : 'skipped']++;
    console.log(line(step.name, 0, `${requireAll ? 'FAILED' : 'left out'}: ${step.needs} is not here`));
    return;
  }
  const [command, ...args] = step.command;
  const { ok, seconds } = await run(command, args, {
    limitSeconds: step.limitMinutes * 60,
    live: true,
    ...(step.env ? { env: step.env } : {}),
  });
  totals[ok ? 'passed' : 'failed']++;
  console.log(line(step.name, seconds, ok ? 'ok' : `FAILED (the limit is ${step.limitMinutes} min)`));
}
