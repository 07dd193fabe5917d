import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../src/base/bytes.ts';
import { unwrap } from '../../src/base/result.ts';
import { parseJson } from '../../src/ledger/json-text.ts';
import { codeOf } from './nodes.ts';

const limits = { maxBytes: 10_000, maxDepth: 8 };

describe('JSON from outside', () => {
  it('parses as JSON.parse does', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 6 }), (text) => {
        expect(unwrap(parseJson(utf8(text), { ...limits, maxBytes: 1_000_000 }))).toEqual(JSON.parse(text));
      }),
    );
  });

  it.each([
    ['{"a":1,"a":1}', 'duplicate-key'],
    ['{"a":{"b":1,"c":[{"b":2}],"b":3}}', 'duplicate-key'],
    ['{"\\u0061":1,"a":2}', 'duplicate-key'],
    ['{"a":{"a":{"a":1}},"b":[{"a":1},{"a":1}]}', 'applied'],
    ['{"a":"a\\":{[","b":"}]"}', 'applied'],
    ['[[[[[[[[1]]]]]]]]', 'applied'],
    ['[[[[[[[[[1]]]]]]]]]', 'too-deep'],
    ['{', 'undecodable'],
    ['', 'undecodable'],
  ])('%s: %s', (text, code) => {
    expect(codeOf(parseJson(utf8(text), limits))).toBe(code);
  });

  it('is refused when it is not UTF-8, or too large', () => {
    expect(codeOf(parseJson(Uint8Array.of(0x22, 0xff, 0x22), limits))).toBe('undecodable');
    expect(codeOf(parseJson(new Uint8Array(10_001).fill(0x20), limits))).toBe('too-large');
  });
});
