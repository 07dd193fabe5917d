import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { root } from '../../scripts/run.ts';

interface Manifest {
  readonly exports: Readonly<Record<string, string | { readonly types: string; readonly default: string }>>;
  readonly browser: Readonly<Record<string, string>>;
  readonly bin: Readonly<Record<string, string>>;
  readonly files: readonly string[];
}

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest;

/** The source of a built file, or the folder of a pattern. */
function sourceOf(built: string): string {
  const source = built.replace('./dist/', 'src/').replace(/(\.d\.ts|\.js)$/, '.ts');
  return source.replace(/\/\*\.ts$/, '');
}

describe('each entry point', () => {
  test.each(Object.entries(manifest.exports))('%s has a source, and types beside the code', (_entry, target) => {
    if (typeof target === 'string') return expect(existsSync(join(root, target))).toBe(true);
    expect(existsSync(join(root, sourceOf(target.default)))).toBe(true);
    expect(sourceOf(target.types)).toBe(sourceOf(target.default));
  });

  test('lists types first, as the compiler takes the first condition that matches', () => {
    for (const target of Object.values(manifest.exports)) {
      if (typeof target !== 'string') expect(Object.keys(target)).toEqual(['types', 'default']);
    }
  });
});

test('what a browser gets instead of native hashing exists', () => {
  for (const file of Object.entries(manifest.browser).flat()) expect(existsSync(join(root, sourceOf(file)))).toBe(true);
});

test('the command is a file that runs as it is, and is published', () => {
  const command = manifest.bin['hotledger'] as string;
  expect(readFileSync(join(root, command), 'utf8')).toMatch(/^#!\/usr\/bin\/env -S (\w+=\w+ )*node( --\S+)+\n/);
  expect(manifest.files).toContain(command.split('/')[0]);
  expect(statSync(join(root, command)).mode & 0o111).not.toBe(0);
});
