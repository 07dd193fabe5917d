/** What a reviewer would say every time, said once by a test. */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { basename, join, sep } from 'node:path';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';
import { root } from '../../scripts/run.ts';

interface File {
  readonly path: string;
  readonly text: string;
}

/** All that is written by hand. */
const written = [
  '*.{ts,js,json,md}',
  '{src,test,bench,scripts,migrations,bin,docs}/**/*.{ts,js,json,md,txt,yaml,yml,html,css,sh}',
  '.ci/run',
];
const files: readonly File[] = globSync(written, { cwd: root })
  .map((path) => path.replaceAll(sep, '/'))
  .filter((path) => !/^test\/(fixtures|vectors|raft\/vectors)\/|^bench\/results\//.test(path))
  .sort()
  .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));

const sources = files.filter(({ path }) => /^(src|migrations)\/.*\.ts$/.test(path));
const code = files.filter(({ path }) => /\.(ts|js)$/.test(path));
const self = 'test/repository/tidy.test.ts';

/** `path:line: text` of every line that matches. */
function lines(where: readonly File[], pattern: RegExp): string[] {
  return where
    .filter(({ path }) => path !== self)
    .flatMap(({ path, text }) =>
      text.split('\n').flatMap((line, i) => (pattern.test(line) ? [`${path}:${i + 1}: ${line.trim()}`] : [])),
    );
}

const leftOpen = /\b(TODO|FIXME|XXX)\b/;
const focused = /\b(describe|test|it)(\.\w+)*\.(only|skip|todo)\b/;
const elsewhere = /\.\.\/shared|(^|[\s'"`(=])\/(work|farm)\//;
const swallowed = /catch\s*(\([^)]*\))?\s*\{\s*\}/;
const vagueFolder = /(^|\/)(utils?|common|helpers?|shared|misc|lib)\//;
const vagueName = /(Manager|Helper|Utils?)$/;

describe('the patterns find what they are for:', () => {
  test.each([
    ['left open', leftOpen, '// TODO: later'],
    ['focused', focused, "  test.only('x', () => {})"],
    ['skipped', focused, "describe.skip('x', () => {})"],
    ['skipped in a table', focused, "test.concurrent.skip('x')"],
    ['elsewhere', elsewhere, "read('../shared/data')"],
    ['this machine', elsewhere, 'cd /work/main'],
    ['swallowed', swallowed, 'try { f(); } catch (error) { }'],
    ['vague folder', vagueFolder, 'src/net/utils/x.ts'],
  ])('%s', (_what, pattern, line) => expect(pattern.test(line)).toBe(true));

  test.each([
    [focused, "test.skipIf(missing)('x', () => {})"],
    [focused, "test('only one', () => {})"],
    [elsewhere, "fetch('/api/v1/work/')"],
    [vagueFolder, 'src/ledger/shared-state.ts'],
  ])('%s does not find %s', (pattern, line) => expect(pattern.test(line)).toBe(false));
});

test('the files are seen', () => {
  for (const path of ['src/base/codec.ts', 'package-lock.json', 'docs/errors.md', '.ci/run', self]) {
    expect(files.map((file) => file.path)).toContain(path);
  }
});

test('no mark of something left open', () => expect(lines(code, leftOpen)).toEqual([]));

test('no test is focused, skipped or still to be written', () => {
  expect(
    lines(
      code.filter(({ path }) => path.startsWith('test/')),
      focused,
    ),
  ).toEqual([]);
});

test('nothing refers to a path that only one machine has', () => expect(lines(files, elsewhere)).toEqual([]));

test('no error is swallowed', () => {
  const found = code.flatMap(({ path, text }) => (path !== self && swallowed.test(text) ? [path] : []));
  expect(found.filter((path) => path !== 'test/repository/purity.test.ts')).toEqual([]);
});

test('no folder is named for nothing in particular', () => {
  expect(files.map(({ path }) => path).filter((path) => vagueFolder.test(path))).toEqual([]);
});

test('file names are words in lowercase with hyphens', () => {
  const named = code.map(({ path }) => path).filter((path) => /^(src|test|bench|scripts|migrations)\//.test(path));
  expect(named.filter((path) => !/^[a-z0-9]+(-[a-z0-9]+)*(\.(test|config|d))?\.(ts|js)$/.test(basename(path)))).toEqual(
    [],
  );
});

test('no file only passes on what others export, and no declaration is named vaguely', () => {
  const barrels: string[] = [];
  const vague: string[] = [];
  for (const { path, text } of sources) {
    const { statements } = ts.createSourceFile(path, text, ts.ScriptTarget.Latest);
    const passing = statements.filter((s) => ts.isExportDeclaration(s) && s.moduleSpecifier !== undefined);
    const others = statements.filter((s) => !ts.isExportDeclaration(s) && !ts.isImportDeclaration(s));
    if (passing.length > 0 && others.length === 0) barrels.push(path);
    for (const statement of statements) {
      const name = (ts.isClassDeclaration(statement) || ts.isInterfaceDeclaration(statement)) && statement.name?.text;
      if (name && vagueName.test(name)) vague.push(`${path}: ${name}`);
    }
  }
  expect(barrels).toEqual([]);
  expect(vague).toEqual([]);
});

test('no source file holds more than two screens of ideas: 350 lines, and 450 at most', async (context) => {
  const lengths = sources.map(({ path, text }) => ({ path, lines: text.split('\n').length - 1 }));
  const long = lengths.filter(({ lines }) => lines > 350).map(({ path, lines }) => `${path} (${lines} lines)`);
  if (long.length > 0) await context.annotate(`which two ideas live here? ${long.join(', ')}`);
  expect(lengths.filter(({ lines }) => lines > 450).map(({ path }) => path)).toEqual([]);
});

describe('the lock file', () => {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { resolved?: string; integrity?: string; link?: boolean }>;
  };

  test('names no registry host', () => {
    const packages = Object.entries(lock.packages);
    expect(packages.length).toBeGreaterThan(100);
    expect(packages.filter(([, { resolved }]) => resolved !== undefined).map(([name]) => name)).toEqual([]);
  });

  test('has the digest of every package', () => {
    const without = Object.entries(lock.packages).filter(
      ([name, entry]) => name !== '' && !entry.integrity && !entry.link,
    );
    expect(without.map(([name]) => name)).toEqual([]);
  });
});

describe('package.json', () => {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
    license: string;
    dependencies: Record<string, string>;
    devDependencies: Record<string, string>;
    optionalDependencies: Record<string, string>;
  };

  test('pins every version exactly', () => {
    const ranges = Object.entries({
      ...manifest.dependencies,
      ...manifest.devDependencies,
      ...manifest.optionalDependencies,
    }).filter(([, version]) => !/^(npm:(@[^/]+\/)?[^@]+@)?\d+\.\d+\.\d+$/.test(version));
    expect(ranges).toEqual([]);
  });

  test('names only files that exist in its scripts', () => {
    const named = Object.values(manifest.scripts).flatMap((script) => script.match(/\S+\.(ts|js)\b/g) ?? []);
    expect(named.length).toBeGreaterThan(3);
    expect(named.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });

  test('and LICENSE agree on the licence', () => {
    expect(manifest.license).toBe('Apache-2.0');
    expect(readFileSync(join(root, 'LICENSE'), 'utf8')).toContain(
      'Apache License\n                           Version 2.0',
    );
  });
});
