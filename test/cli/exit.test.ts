import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { codedError } from '../../src/base/result.ts';
import { CommandFailure, EXIT, exitCodeOf, tellError } from '../../src/cli/exit.ts';
import type { Terminal } from '../../src/cli/terminal.ts';

test.each([
  ['usage', EXIT.usage],
  ['config-unknown-key', EXIT.usage],
  ['node-not-running', EXIT.unavailable],
  ['no-quorum', EXIT.unavailable],
  ['store-locked', EXIT.error],
])('%s exits with %i', (code, exit) => {
  expect(exitCodeOf(codedError(code, 'what happened'))).toBe(exit);
});

test('a failure of a command exits with its own code, and a bug with 1', () => {
  const failure = new CommandFailure(EXIT.unverified, { code: 'too-old', message: 'too old', details: {} });
  expect(exitCodeOf(failure)).toBe(3);
  expect(exitCodeOf(new TypeError('x is not a function'))).toBe(1);
});

function told(error: unknown, json: boolean): string[] {
  const lines: string[] = [];
  const keep = (line: string) => lines.push(line);
  tellError(error, json, { out: keep, err: keep } as unknown as Terminal);
  return lines;
}

test('an error is told with its code, its numbers and what to do next', () => {
  const error = codedError('store-locked', 'another process has it open', { directory: '/x' });
  expect(told(error, false)).toEqual([
    'hotledger: error store-locked: another process has it open',
    '  directory=/x',
    '  Another process has this data directory open: stop that node first ("hotledger status" shows it).',
  ]);
  expect(JSON.parse(told(error, true)[0] ?? '')).toMatchObject({
    error: {
      code: 'store-locked',
      details: { directory: '/x' },
      next: expect.stringContaining('stop that node') as string,
    },
  });
});

test('what has no code is unexpected, and comes with its stack', () => {
  const error = { code: 'unexpected', message: 'x is not a function' };
  expect(JSON.parse(told(new TypeError(error.message), true)[0] ?? '')).toMatchObject({ error });
  expect(told(new TypeError('x is not a function'), false).join('\n')).toMatch(
    /error unexpected: x is not a function\n.*stack=TypeError/s,
  );
});

test('what an operator can mend in files has a code, and no stack; what a network does is another matter', async () => {
  const error: unknown = await readFile('/').catch((thrown: unknown) => thrown);
  expect(told(error, false)).toEqual([
    'hotledger: error file-unusable: EISDIR: illegal operation on a directory, read',
  ]);
  const missing: unknown = await readFile('/nowhere/at-all').catch((thrown: unknown) => thrown);
  expect(JSON.parse(told(missing, true)[0] ?? '')).toMatchObject({
    error: { code: 'file-unusable', details: { path: '/nowhere/at-all' } },
  });
  const refused = Object.assign(new Error('connect EACCES'), { code: 'EACCES', syscall: 'connect' });
  expect(told(refused, false)[0]).toBe('hotledger: error unexpected: connect EACCES');
});
