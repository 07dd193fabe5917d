import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { root } from '../../scripts/run.ts';
import { findCodes } from './error-codes.ts';

const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const sources = globSync(['src/**/*.ts', 'migrations/**/*.ts'], { cwd: root }).map((path) => ({
  path,
  text: read(path),
}));
const { uses, opaque } = findCodes(sources);
const used = new Set(uses.map(({ code }) => code));

interface Row {
  readonly code: string;
  readonly when: string;
  readonly remedy: string;
}

const rows: readonly Row[] = read('docs/errors.md')
  .split('\n')
  .filter((line) => line.startsWith('| `'))
  .map((line) => {
    const [code = '', when = '', remedy = ''] = line.split('|').slice(1, -1);
    return { code: code.trim().replaceAll('`', ''), when: when.trim(), remedy: remedy.trim() };
  });
const documented = new Set(rows.map(({ code }) => code));

/** Tests of other rooms; this folder only looks at them. */
const tests = globSync('test/**/*.{ts,txt,md}', { cwd: root })
  .filter((path) => !path.startsWith('test/repository/') && !path.startsWith('test/fixtures/'))
  .map(read)
  .join('\n');

test('every code is a word or words in lowercase with hyphens, and can be read in the source', () => {
  expect(used.size).toBeGreaterThan(10);
  expect(uses.filter(({ code }) => !/^[a-z]+(-[a-z0-9]+)*$/.test(code))).toEqual([]);
  expect(opaque).toEqual([]);
});

test('every code has a row in docs/errors.md', () => {
  expect(uses.filter(({ code }) => !documented.has(code)).map(({ code, where }) => `${code} at ${where}`)).toEqual([]);
});

test('every row of docs/errors.md is of a code in use, stands there once, and says when it comes and what to do', () => {
  expect(rows.filter(({ code }) => !used.has(code)).map(({ code }) => code)).toEqual([]);
  expect(rows.map(({ code }) => code).filter((code, i, all) => all.indexOf(code) !== i)).toEqual([]);
  expect(rows.filter(({ when, remedy }) => when === '' || remedy === '')).toEqual([]);
});

test('every code has a test that expects it', () => {
  const quoted = (code: string): boolean =>
    [`'${code}'`, `"${code}"`, `\`${code}\``].some((text) => tests.includes(text));
  expect([...used].filter((code) => !quoted(code)).sort()).toEqual([]);
});

describe('codes are found', () => {
  const found = (text: string) => {
    const { uses, opaque } = findCodes([{ path: 'planted.ts', text }]);
    return { codes: uses.map(({ code }) => code), opaque };
  };

  test.each([
    ['in a call', "refuse('a-b', 'text');", ['a-b']],
    ['in a call of an exception', "throw codedError('a-b', 'text');", ['a-b']],
    ['in both branches of a choice', "refuse(cut ? 'a' : ('b'), 'text');", ['a', 'b']],
    ['where none came from elsewhere', "throw codedError(answer.code ?? 'a-b', 'text');", ['a-b']],
    ['in a refusal written out', "const r = { code: 'a-b', message: 'text', details: {} };", ['a-b']],
    ['in a class', "class E extends Error { readonly code = 'a-b'; }", ['a-b']],
    ['through a function', "function no(code: string) { return refuse(code, 'text'); }\nno('a-b');", ['a-b']],
    ['through an arrow', "const no = (at: number, code: string) => refuse(code, 'text');\nno(1, 'a-b');", ['a-b']],
    ['through a method', "class C { #no(code: string) { refuse(code, ''); } m() { this.#no('a-b'); } }", ['a-b']],
    ['once where one is passed on', 'refuse(refusal.code, refusal.message);', []],
    [
      "not where it is another library's",
      "const r = { code: typeof code === 'string' ? code : '', message: 'text' };",
      [],
    ],
    ['not in a method that only has the name', 'turn.refuse(from, refusal);', []],
    ['not where code is a number', 'function leave(code: number) {}\nleave(1);', []],
  ])('%s', (_what, text, codes) => expect(found(text)).toEqual({ codes, opaque: [] }));

  test('or said to be out of sight', () => {
    expect(found("const name = 'a';\nrefuse(name, 'text');")).toEqual({ codes: [], opaque: ['planted.ts:2'] });
  });
});
