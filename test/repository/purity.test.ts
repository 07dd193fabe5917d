import { ESLint } from 'eslint';
import tseslint from 'typescript-eslint';
import { describe, expect, test } from 'vitest';

/** Planted text has no file of its own, so the rules that need types are left out: none of those below does. */
const eslint = new ESLint({ overrideConfig: tseslint.configs.disableTypeChecked as ESLint.Options['overrideConfig'] });

async function rulesBroken(filePath: string, code: string): Promise<string[]> {
  const [result] = await eslint.lintText(code, { filePath, warnIgnored: true });
  return (result?.messages ?? []).map((message) => message.ruleId ?? message.message);
}

const pureRooms = ['base', 'consensus', 'hotstuff', 'raft', 'qc', 'ledger'];

const impure: readonly (readonly [what: string, rule: string, code: string])[] = [
  ['an async function', 'pure/syntax', 'export async function f() {}'],
  ['an async arrow', 'pure/syntax', 'export const f = async () => 1;'],
  ['an async method', 'pure/syntax', 'export class C { async m() {} }'],
  ['await', 'pure/syntax', 'export const x = await f();\ndeclare function f(): number;'],
  [
    'for await',
    'pure/syntax',
    'declare const xs: Iterable<number>;\nfor await (const x of xs) f(x);\ndeclare function f(n: number): void;',
  ],
  ['a promise', 'pure/globals', 'export const p = Promise.resolve(1);'],
  ['a promise that is constructed', 'pure/globals', 'export const p = new Promise(() => {});'],
  ['the type of a promise', 'pure/syntax', 'export type F = () => Promise<void>;'],
  ['an asynchronous iterable', 'pure/syntax', 'export type X = AsyncIterable<number>;'],
  ['a dynamic import', 'pure/syntax', "export const m = import('./other.ts');"],
  ['the clock', 'pure/globals', 'export const now = Date.now();'],
  ['a date', 'pure/globals', 'export const now = new Date();'],
  ['the monotonic clock', 'pure/globals', 'export const now = performance.now();'],
  ['Math.random', 'pure/properties', 'export const r = Math.random();'],
  ['Math.random by another spelling', 'pure/properties', "export const r = Math['random']();"],
  ['Math.random taken out of Math', 'pure/properties', 'export const { random } = Math;'],
  ['an alias of Math', 'pure/syntax', 'export const m = Math;'],
  ['random bytes', 'pure/globals', 'export const r = crypto.getRandomValues(new Uint8Array(4));'],
  ['setTimeout', 'pure/globals', 'setTimeout(() => {}, 1);'],
  ['setInterval', 'pure/globals', 'setInterval(() => {}, 1);'],
  ['setImmediate', 'pure/globals', 'setImmediate(() => {});'],
  ['queueMicrotask', 'pure/globals', 'queueMicrotask(() => {});'],
  ['the process', 'pure/globals', "export const home = process.env['HOME'];"],
  ['the console', 'pure/globals', "console.log('x');"],
  ['fetch', 'pure/globals', "export const answer = fetch('https://example.org');"],
  ['a Buffer', 'pure/globals', "export const b = Buffer.from('x');"],
  ['globalThis', 'pure/globals', "export const now = globalThis['Date'];"],
  ['eval', 'pure/globals', "export const now = eval('Date.now()');"],
  ['a function from text', 'pure/globals', "export const now = new Function('return Date.now()');"],
  ['a node: module', 'pure/imports', "import { readFileSync } from 'node:fs';\nexport const f = readFileSync;"],
  [
    'a node: module without its prefix',
    'pure/imports',
    "import { readFileSync } from 'fs';\nexport const f = readFileSync;",
  ],
  [
    'timers as a module',
    'pure/imports',
    "import { setTimeout as after } from 'timers/promises';\nexport const f = after;",
  ],
  ['the order of a locale', 'pure/properties', "export const order = 'a'.localeCompare('b');"],
  ['a formatter of a locale', 'pure/globals', 'export const format = new Intl.NumberFormat();'],
  ['a weak reference', 'pure/globals', 'export const w = new WeakRef({});'],
];

describe('a pure room does not pass the linter with', () => {
  test.each(impure)('%s', async (_what, rule, code) => {
    expect(await rulesBroken('src/hotstuff/planted.ts', code)).toContain(rule);
  });
});

test.each(pureRooms)('src/%s is a pure room, in its folders too', async (room) => {
  for (const path of [`src/${room}/planted.ts`, `src/${room}/deeper/planted.ts`]) {
    expect(await rulesBroken(path, 'export const now = Date.now();')).toContain('pure/globals');
  }
});

test.each(['src/base/hash.ts', 'src/qc/scheme-native.ts', 'src/ledger/block-log.ts', 'src/node/planted.ts'])(
  '%s may touch the machine',
  async (path) => {
    const code = "import { hash } from 'node:crypto';\nexport const now = () => hash('sha256', String(Date.now()));\n";
    expect(await rulesBroken(path, code)).toEqual([]);
  },
);

test('pure code passes', async () => {
  const code = [
    "import { assert } from '../base/assert.ts';",
    'export function timer(baseMs: number, attempt: number): number {',
    "  assert(attempt >= 0, 'attempts count from zero', { attempt });",
    '  return Math.min(baseMs * 1.2 ** attempt, 60_000);',
    '}',
    '',
  ].join('\n');
  expect(await rulesBroken('src/hotstuff/planted.ts', code)).toEqual([]);
});

describe('a brand is made only where its check is made:', () => {
  const makers = [
    ['verifiedEvent', '../ledger/verified-event.ts', 'node/admit.ts'],
    ['admitMessage', '../hotstuff/admission.ts', 'node/admit.ts'],
    ['certificateVerifiedBefore', '../qc/certificate.ts', 'hotstuff/safety-record.ts'],
    ['timeoutCertificateVerifiedBefore', '../qc/timeout-certificate.ts', 'hotstuff/safety-record.ts'],
    ['assembledCertificate', './certificate.ts', 'qc/collect.ts'],
    ['assembledTimeoutCertificate', './timeout-certificate.ts', 'qc/collect.ts'],
  ] as const;

  test.each(makers)('%s is not imported by an engine, the network or a command', async (maker, from) => {
    const rule = `brand-${maker.toLowerCase()}/imports`;
    const code = `import { ${maker} } from '${from}';\nexport const f = ${maker};\n`;
    for (const room of ['hotstuff', 'net', 'cli', 'api']) {
      expect(await rulesBroken(`src/${room}/planted.ts`, code)).toContain(rule);
    }
  });

  test.each(makers)('%s is not imported under another name either', async (maker, from) => {
    const rule = `brand-${maker.toLowerCase()}/imports`;
    const code = `import { ${maker} as innocent } from '${from}';\nexport const f = innocent;\n`;
    expect(await rulesBroken('src/net/planted.ts', code)).toContain(rule);
    expect(
      await rulesBroken('src/net/planted.ts', `import * as all from '${from}';\nexport const f = all;\n`),
    ).toContain(rule);
  });

  test.each(makers)('%s of %s may be imported by %s', async (maker, from, home) => {
    const code = `import { ${maker} } from '${from}';\nexport const f = ${maker};\n`;
    expect(await rulesBroken(`src/${home}`, code)).toEqual([]);
  });

  test('a cast to a brand is refused outside the file that declares it', async () => {
    const code = [
      "import type { VerifiedEvent } from '../ledger/verified-event.ts';",
      'export const trust = (value: unknown) => value as VerifiedEvent;',
      '',
    ].join('\n');
    expect(await rulesBroken('src/node/planted.ts', code)).toContain('brand/syntax');
    expect(await rulesBroken('src/ledger/verified-event.ts', code)).toEqual([]);
  });
});

describe('no file of src passes the linter with', () => {
  test.each([
    ['a swallowed error', 'no-restricted-syntax', 'try { f(); } catch {}\ndeclare function f(): void;'],
    [
      'a swallowed error and a comment',
      'no-restricted-syntax',
      'try { f(); } catch { /* never mind */ }\ndeclare function f(): void;',
    ],
    ['export *', 'no-restricted-syntax', "export * from './other.ts';"],
    ['a global that only browsers have', 'no-restricted-globals', 'export const label = name;'],
    ['any', '@typescript-eslint/no-explicit-any', 'export const x: any = 1;'],
    ['a non-null assertion', '@typescript-eslint/no-non-null-assertion', 'export const f = (x?: string) => x!;'],
    ['the console', 'no-console', "console.log('x');"],
    ['the end of a thread, wherever it is', 'thread/syntax', 'export const f = (w: Worker) => w.terminate();'],
    ['loose equality', 'eqeqeq', 'export const f = (a: number) => a == 1;'],
  ])('%s', async (_what, rule, code) => {
    expect(await rulesBroken('src/node/planted.ts', code)).toContain(rule);
  });
});

/** The types of the whole program are made for this rule: the time is the machine's. */
const TYPED_LINT_LIMIT_MS = 180_000;

test('a promise that nobody waits for does not pass', { timeout: TYPED_LINT_LIMIT_MS }, async () => {
  const code = 'declare function send(): Promise<void>;\nexport function f(): void {\n  send();\n}\n';
  // The path of a file that exists, as this rule needs types.
  const [result] = await new ESLint().lintText(code, { filePath: 'src/store/store.ts' });
  expect(result?.messages.map((message) => message.ruleId)).toEqual(['@typescript-eslint/no-floating-promises']);
});
