import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  compareBytes,
  concatBytes,
  equalBytes,
  fromHex,
  storeKey,
  textFromUtf8,
  toHex,
  utf8,
} from '../../src/base/bytes.ts';

const bytes = () => fc.uint8Array({ maxLength: 64 });

describe('hex', () => {
  test('any bytes survive a round trip, in lowercase', () => {
    fc.assert(
      fc.property(bytes(), (input) => {
        expect(toHex(input)).toBe(Buffer.from(input).toString('hex'));
        expect(fromHex(toHex(input))).toEqual(input);
      }),
    );
  });

  test.each(['0', 'AB', '0x00', 'zz', '00\n', ' 00', '٠٠'])('%j is not hex', (text) => {
    expect(fromHex(text)).toBeUndefined();
  });
});

describe('order', () => {
  test('is the order of Buffer.compare, which is that of LevelDB', () => {
    fc.assert(
      fc.property(bytes(), bytes(), (a, b) => {
        expect(Math.sign(compareBytes(a, b))).toBe(Buffer.compare(a, b));
        expect(equalBytes(a, b)).toBe(Buffer.compare(a, b) === 0);
      }),
    );
  });

  test('a prefix comes before what it begins', () => {
    expect(compareBytes(Uint8Array.of(1), Uint8Array.of(1, 0))).toBeLessThan(0);
    expect(equalBytes(Uint8Array.of(1), Uint8Array.of(1, 0))).toBe(false);
  });
});

test('joined parts keep their order and are a copy', () => {
  const part = Uint8Array.of(1, 2);
  const joined = concatBytes(part, new Uint8Array(0), Uint8Array.of(3));
  part[0] = 9;
  expect(joined).toEqual(Uint8Array.of(1, 2, 3));
});

describe('UTF-8', () => {
  test('well-formed text survives a round trip', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(textFromUtf8(utf8(text))).toBe(text);
      }),
    );
  });

  test('a byte order mark is text like any other, so that two byte strings never read the same', () => {
    expect(textFromUtf8(fromHex('efbbbf61') as Uint8Array)).toBe('\ufeffa');
  });

  test.each([
    ['a lone continuation byte', '80'],
    ['an overlong slash', 'c0af'],
    ['a surrogate', 'eda080'],
    ['a cut sequence', 'e282'],
  ])('%s is refused', (_name, hex) => {
    expect(() => textFromUtf8(fromHex(hex) as Uint8Array)).toThrow(TypeError);
  });
});

test('a store key is the bytes of its parts, whatever keys were made before it', () => {
  const parts = fc.array(fc.oneof(bytes(), fc.string({ unit: 'binary', maxLength: 40 })), { maxLength: 4 });
  const joined = (some: readonly (Uint8Array | string)[]) =>
    concatBytes(...some.map((part) => (typeof part === 'string' ? new TextEncoder().encode(part) : part)));
  const long = 'x'.repeat(10_000);
  fc.assert(
    fc.property(fc.array(parts, { maxLength: 200 }), (lists) => {
      const keys = lists.map((list) => storeKey(...list));
      for (const [index, list] of lists.entries()) expect(toHex(keys[index] as Uint8Array)).toBe(toHex(joined(list)));
    }),
  );
  expect(storeKey(long, Uint8Array.of(1))).toHaveLength(10_001);
});
