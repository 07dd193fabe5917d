import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { root } from '../../scripts/run.ts';

const page = readFileSync(join(root, 'docs/SAFETY.md'), 'utf8');

test('every test that docs/SAFETY.md names is there', () => {
  const links = [...page.matchAll(/\[([^\]]+)\]\(\.\.\/([^)]+\.ts)\)/g)];
  expect(links.length).toBeGreaterThan(30);
  const missing = links.filter(([, title = '', file = '']) => {
    // A title may stand between quotes of either kind, with its own quotes escaped.
    return !readFileSync(join(root, file), 'utf8').replaceAll("\\'", "'").includes(title);
  });
  expect(missing.map(([link]) => link)).toEqual([]);
});

test('every checker that docs/SAFETY.md names is there', () => {
  const checkers = new Set([...page.matchAll(/`(checkers\/[a-z-]+\.ts)`/g)].map(([, file]) => file as string));
  expect(checkers.size).toBeGreaterThan(5);
  for (const file of checkers) expect(readFileSync(join(root, 'test/simulator', file), 'utf8')).not.toBe('');
});
