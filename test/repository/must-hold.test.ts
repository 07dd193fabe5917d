import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { root } from '../../scripts/run.ts';

const read = (path: string): string => readFileSync(join(root, 'test', path), 'utf8');

test('every promise of test/must-hold.md is shown by tests that are there', () => {
  const page = read('must-hold.md');
  const rows = page.split('\n').filter((line) => /^\| (?!---|promise|input|protocol|behaviour|state)/.test(line));
  const links = [...page.matchAll(/\[([^\]]+)\]\(([^)]+\.ts)\)/g)].map(([, title = '', file = '']) => ({
    title,
    file,
  }));
  expect(rows.length).toBeGreaterThan(40);
  expect(rows.filter((row) => !/\]\([^)]+\.ts\)/.test(row))).toEqual([]);
  // A title may stand between quotes of either kind, with its own quotes escaped.
  const missing = links.filter(({ file, title }) => !read(file).replaceAll("\\'", "'").includes(title));
  expect(missing).toEqual([]);
});
