import canonicalize from 'canonicalize';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../src/base/bytes.ts';
import { unwrap } from '../../src/base/result.ts';
import { isCanonicalJson, parseJson } from '../../src/ledger/json-text.ts';
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

describe('RFC 8785 JSON', () => {
  /** Names that are numbers are moved by the parser. */
  const isName = (name: string): boolean => !/^[0-9]+$/.test(name);
  const names = fc
    .oneof(fc.string({ maxLength: 3, unit: 'binary' }), fc.constantFrom('a', 'b', 'B', '\u00e9'))
    .filter(isName);
  const { value } = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      fc.oneof(fc.double(), fc.integer(), fc.boolean(), fc.constant(null), fc.string({ unit: 'binary' })),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(names, tie('value'), { maxKeys: 4, noNullPrototype: true }),
    ),
  }));

  it('is told from any other text', () => {
    fc.assert(
      fc.property(value, (made) => {
        for (const text of [canonicalOf(made), JSON.stringify(made)]) {
          if (text === undefined) continue;
          const parsed: unknown = JSON.parse(text);
          expect(isCanonicalJson(text, parsed)).toBe(text === canonicalOf(parsed));
        }
      }),
      { numRuns: 2000 },
    );
  });

  /** Undefined where there is none: a lone surrogate. */
  function canonicalOf(of: unknown): string | undefined {
    try {
      return canonicalize(of);
    } catch {
      return undefined;
    }
  }

  it.each([
    ['{"a":1,"a":1}', false],
    ['{"a": 1}', false],
    ['{"b":1,"a":1}', false],
    ['{"B":1,"a":[{"c":1,"d":2}]}', true],
    ['["\\u00e9"]', false],
    ['["\\ud800"]', false],
    ['[-0]', false],
    ['[1e3]', false],
    ['[1e+21]', true],
  ])('%s: %s', (text, isCanonical) => {
    expect(isCanonicalJson(text, JSON.parse(text))).toBe(isCanonical);
  });
});
