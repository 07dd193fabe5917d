import fc from 'fast-check';
import { base58btc } from 'multiformats/bases/base58';
import { expect, test } from 'vitest';
import { decodeBase58 } from '../../src/base/base58.ts';

function byTheLibrary(text: string): Uint8Array | undefined {
  try {
    return Uint8Array.from(base58btc.baseDecode(text));
  } catch {
    return undefined;
  }
}

test('bytes that a library encoded are decoded, zeros in front too', () => {
  fc.assert(
    fc.property(fc.nat(4), fc.uint8Array({ maxLength: 60 }), (zeros, tail) => {
      const bytes = Uint8Array.from([...new Uint8Array(zeros), ...tail]);
      expect(decodeBase58(base58btc.baseEncode(bytes))).toEqual(bytes);
    }),
    { numRuns: 2000 },
  );
});

test('any text is decoded, or refused, as a library does it', () => {
  const nearly = fc.string({ unit: fc.constantFrom(...'11123zZyAabk0OIl é'), maxLength: 64 });
  fc.assert(
    fc.property(nearly, (text) => {
      expect(decodeBase58(text)).toEqual(byTheLibrary(text));
    }),
    { numRuns: 3000 },
  );
});

test('a character past Latin-1 is no digit, though libraries take it for a zero', () => {
  expect(decodeBase58('1Ā2')).toBeUndefined();
  expect(decodeBase58('1\u{1f600}2')).toBeUndefined();
});
