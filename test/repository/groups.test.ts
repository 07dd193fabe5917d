import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { groupOf, groups, longGroup } from '../../scripts/groups.ts';
import { root } from '../../scripts/run.ts';
import { steps } from '../../scripts/test-long.ts';

const read = (path: string): string => readFileSync(join(root, path), 'utf8');

test('every test file belongs to a group, so that none is silently not run', () => {
  const files = globSync('{test,src,bench,scripts,migrations}/**/*.{test,spec}.*', { cwd: root });
  expect(files.length).toBeGreaterThan(0);
  expect(files.filter((file) => groupOf(file) === undefined)).toEqual([]);
});

test('no folder belongs to two groups', () => {
  const folders = [...groups, longGroup].flatMap((group) => group.folders);
  expect(new Set(folders).size).toBe(folders.length);
});

test('continuous integration, which has 90 minutes, has time for the long tests', () => {
  expect(steps.reduce((sum, step) => sum + step.limitMinutes, 0)).toBeLessThanOrEqual(82);
});

test('the long tests try more cases of what draws its cases', () => {
  const command = steps.find(({ name }) => name === 'more cases')?.command ?? [];
  const tests = 'tests' in command ? command.tests : [];
  expect(tests).toContain('test/raft/chaos.test.ts');
  expect(tests).toContain('test/ledger/state-tree.test.ts');
  expect(tests.filter((file) => file.startsWith('test/long'))).toEqual([]);
});

test('continuous integration runs the test command that the README gives, then the long tests', () => {
  const commands = read('README.md').match(/^    npm ci && npm \w+/gm) ?? [];
  expect(commands.slice(0, 2).map((command) => command.trim())).toEqual(['npm ci && npm start', 'npm ci && npm test']);
  const script = read('.ci/run');
  expect(script).toContain("'npm ci && npm test'");
  expect(script.trimEnd().endsWith('npm run test:long')).toBe(true);
});
