import { describe, expect, test } from 'vitest';
import { assert, AssertionError, unreachable } from '../../src/base/assert.ts';
import { CodedError, codedError, ok, refuse, unwrap } from '../../src/base/result.ts';

describe('a refusal', () => {
  test('carries its code, a message and its numbers', () => {
    expect(refuse('too-large', 'it is too large', { bytes: 9 })).toEqual({
      ok: false,
      refusal: { code: 'too-large', message: 'it is too large', details: { bytes: 9 } },
    });
  });

  test('becomes an exception with all of that where a value is needed', () => {
    expect(unwrap(ok(1))).toBe(1);
    expect(() => unwrap(refuse('too-large', 'it is too large', { bytes: 9n }))).toThrow(
      expect.objectContaining({
        name: 'CodedError',
        code: 'too-large',
        message: 'it is too large',
        details: { bytes: 9n },
      }),
    );
  });

  test('as an exception keeps what caused it', () => {
    const cause = new Error('no space left');
    const error = codedError('store-disk-full', 'the disk is full', {}, { cause });
    expect(error).toBeInstanceOf(CodedError);
    expect(error.cause).toBe(cause);
  });
});

describe('an assertion', () => {
  test('that holds says nothing', () => {
    expect(() => assert(1 + 1 === 2, 'sums are right')).not.toThrow();
  });

  test('that fails states the fact that should hold, with its numbers, big ones too', () => {
    const fail = (): void => assert(false, 'the parent is held', { height: 7, uptimeNs: 1n << 60n });
    expect(fail).toThrow(AssertionError);
    expect(fail).toThrow('the parent is held {"height":7,"uptimeNs":"1152921504606846976"}');
    expect(fail).toThrow(expect.objectContaining({ code: 'assertion-failed' }));
  });

  test('marks a case that the compiler has ruled out', () => {
    expect(() => unreachable('later' as never)).toThrow('every case is handled {"value":"later"}');
  });
});
