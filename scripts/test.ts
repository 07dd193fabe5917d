/**
 * `npm test`: types, lint, format, import rules, then every group of tests, with the time of each. Fails when a group
 * is absent or ran nothing, so that a test that silently no longer runs is noticed. The last line is
 * `N passed, N failed, N skipped`; a check counts as one.
 */
import { relative, sep } from 'node:path';
import { groupOf, groups } from './groups.ts';
import { conclude, line, requireAll, root, run, runTests, type FileResult, type Totals } from './run.ts';

const started = performance.now();
const plain: Readonly<Record<string, string>> = process.stdout.isTTY ? {} : { NO_COLOR: '1', FORCE_COLOR: '0' };
const totals: Totals = { passed: 0, failed: 0, skipped: 0 };

type Check = readonly [name: string, command: string, ...args: string[]];

/** Side by side, in two rows that take about as long as each other. */
const checks: readonly (readonly Check[])[] = [
  [['lint', 'eslint', '.', '--max-warnings', '0']],
  [
    ['types', 'tsc', '-p', '.'],
    ['imports', 'node', 'scripts/import-rules.ts'],
    ['format', 'prettier', '--check', '.'],
  ],
];

await Promise.all(
  checks.map(async (row) => {
    for (const check of row) await perform(check);
  }),
);
await runGroups();
console.log(line('in all', (performance.now() - started) / 1000, ''));
conclude(totals);

async function perform([name, command, ...args]: Check): Promise<void> {
  const { ok, seconds, output } = await run(command, args, { limitSeconds: 300 });
  totals[ok ? 'passed' : 'failed']++;
  if (!ok) console.log(output);
  console.log(line(name, seconds, ok ? 'ok' : 'FAILED'));
}

async function runGroups(): Promise<void> {
  const { ok, files } = await runTests(['--reporter=dot'], { limitSeconds: 900, env: plain });
  const failedBefore = totals.failed;
  for (const group of groups) {
    count(
      group.name,
      files.filter((file) => groupOf(relative(root, file.name).replaceAll(sep, '/')) === group),
    );
  }
  if (!ok && totals.failed === failedBefore) {
    totals.failed++;
    console.log('the test runner failed outside of any test');
  }
}

function count(name: string, files: readonly FileResult[]): void {
  const statuses = files.flatMap((file) => file.assertionResults.map((result) => result.status));
  const brokenFiles = files.filter((file) => file.status === 'failed' && file.assertionResults.length === 0).length;
  const passed = statuses.filter((status) => status === 'passed').length;
  const failed = statuses.filter((status) => status === 'failed').length + brokenFiles;
  const skipped = statuses.length + brokenFiles - passed - failed;
  const seconds = files.reduce((sum, file) => sum + (file.endTime - file.startTime) / 1000, 0);
  const absent = passed + failed === 0;
  const leftOut = requireAll && skipped > 0;
  totals.passed += passed;
  totals.failed += failed + (absent || leftOut ? 1 : 0);
  totals.skipped += skipped;
  const remark = absent ? ', ABSENT: a group must run' : leftOut ? ', LEFT OUT: nothing may be here' : '';
  console.log(line(name, seconds, `${passed} passed, ${failed} failed, ${skipped} skipped${remark}`));
}
