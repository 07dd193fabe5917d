import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { utf8 } from '../../src/base/bytes.ts';
import * as native from '../../src/base/hash.ts';
import * as noble from '../../src/base/hash-noble.ts';

test('both modules export the same names, so that one can stand for the other', () => {
  expect(Object.keys(noble).sort()).toEqual(Object.keys(native).sort());
  expect(noble.ZERO_HASH).toBe(native.ZERO_HASH);
});

describe.each([
  ['native', native],
  ['pure', noble],
])('SHA-256, %s', (_name, { sha256, sha256Hex, hashFromBytes, hashToBytes, ZERO_HASH }) => {
  // FIPS 180-2, appendix B.
  test.each([
    ['', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
    ['abc', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
    [
      'abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq',
      '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1',
    ],
  ])('of %j is as published', (input, digest) => {
    expect(sha256Hex(utf8(input))).toBe(digest);
    expect(hashFromBytes(sha256(utf8(input)))).toBe(digest);
  });

  test('a digest survives the way to bytes and back', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (digest) => {
        expect(hashToBytes(hashFromBytes(digest))).toEqual(digest);
      }),
    );
    expect(hashToBytes(ZERO_HASH)).toEqual(new Uint8Array(32));
  });

  test('what is not a digest is our own bug', () => {
    expect(() => hashFromBytes(new Uint8Array(31))).toThrow('a hash has 32 bytes');
    expect(() => hashToBytes('ABCD' as native.Hash)).toThrow('64 lowercase hex digits');
    expect(() => hashToBytes('ab' as native.Hash)).toThrow('64 lowercase hex digits');
  });
});

test.each([
  ['native', native],
  ['pure', noble],
])('%s: a digest written into an array touches its 32 bytes and no others', (_name, { sha256, sha256Into }) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(8), (input, offset) => {
      const target = new Uint8Array(offset + 40).fill(0xee);
      sha256Into(input, target, offset);
      const expected = new Uint8Array(offset + 40).fill(0xee);
      expected.set(sha256(input), offset);
      expect(target).toEqual(expected);
    }),
  );
});

test.each([
  ['native', native],
  ['pure', noble],
])('%s: the digest of a text is that of its UTF-8, be it as ill-formed as it will', (_name, { sha256, sha256Into }) => {
  const any = fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)) });
  fc.assert(
    fc.property(fc.oneof(any, fc.string({ minLength: 400, maxLength: 3000 })), fc.nat(8), (text, offset) => {
      const target = new Uint8Array(offset + 40).fill(0xee);
      sha256Into(text, target, offset);
      const expected = new Uint8Array(offset + 40).fill(0xee);
      expected.set(sha256(new TextEncoder().encode(text)), offset);
      expect(target).toEqual(expected);
    }),
  );
});

test('the native and the pure one agree on any input', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (input) => {
      expect(noble.sha256Hex(input)).toBe(native.sha256Hex(input));
      expect(new Uint8Array(noble.sha256(input))).toEqual(new Uint8Array(native.sha256(input)));
    }),
  );
});
