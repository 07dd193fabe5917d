import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../src/base/bytes.ts';
import { parseJson } from '../../src/net/json-text.ts';

const code = (text: string): string => {
  const parsed = parseJson(utf8(text), 4);
  return parsed.ok ? 'ok' : parsed.refusal.code;
};

describe('JSON from strangers', () => {
  it('gives what JSON.parse gives for every value within the depth', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 3 }), fc.nat(3), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        expect(parseJson(utf8(text), 8)).toEqual({ ok: true, value: JSON.parse(text) as unknown });
      }),
      { seed: 2, numRuns: 500 },
    );
  });

  it.each([
    ['{"a":":{[","b":"\\":"}', 'ok'],
    ['{"a":{"a":1},"b":[{"a":2}]}', 'ok'],
    ['{"__proto__":1}', 'ok'],
    ['{"a":1,"b":2,"a":3}', 'duplicate-key'],
    ['[{"a":{"x":1,"x":1}}]', 'duplicate-key'],
    ['[[[[1]]]]', 'ok'],
    ['[[[[[1]]]]]', 'too-deep'],
    ['{"a":1', 'undecodable'],
    ['{"a":1}}', 'undecodable'],
    ['{a:1}', 'undecodable'],
    ['', 'undecodable'],
  ])('answers %s with %s', (text, expected) => {
    expect(code(text)).toBe(expected);
  });

  it('refuses bytes that are no UTF-8', () => {
    expect(parseJson(Uint8Array.of(0x22, 0xc3, 0x28, 0x22), 4)).toMatchObject({ refusal: { code: 'undecodable' } });
  });

  it('never throws, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.string({ unit: 'binary', maxLength: 100 }), (bytes, text) => {
        parseJson(bytes, 4);
        parseJson(utf8(text), 4);
      }),
      { seed: 3, numRuns: 500 },
    );
  });
});
