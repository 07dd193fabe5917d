import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { codec } from '../../src/base/codec.ts';
import { bitmapOf, checkSigners, MAX_VALIDATORS, signersOf, signersShape } from '../../src/qc/bitmap.ts';
import { codeOf } from './refusal.ts';

const signersCodec = codec(signersShape, 32);
const anySigners = fc.uniqueArray(fc.nat(MAX_VALIDATORS - 1)).map((signers) => signers.sort((a, b) => a - b));

describe('the bitmap of signers', () => {
  it('has validator i at bit i, counted from the least significant bit of the first byte', () => {
    expect(bitmapOf([])).toEqual(Uint8Array.of());
    expect(bitmapOf([0])).toEqual(Uint8Array.of(1));
    expect(bitmapOf([0, 2, 7, 8, 19])).toEqual(Uint8Array.of(0b1000_0101, 1, 0b1000));
    expect(bitmapOf([127])).toHaveLength(16);
  });

  it('and the list of signers are the same thing', () => {
    fc.assert(
      fc.property(anySigners, (signers) => {
        expect(signersOf(bitmapOf(signers))).toEqual(signers);
        const decoded = signersCodec.decode(signersCodec.encode(signers));
        expect(decoded).toEqual({ ok: true, value: signers });
      }),
      { seed: 1 },
    );
  });

  it('has one encoding: a bitmap longer than its last signer needs is refused', () => {
    // MessagePack: bin 8 of two bytes, the second without a bit.
    expect(codeOf(signersCodec.decode(Uint8Array.of(0xc4, 2, 0b111, 0)))).toBe('non-canonical');
    expect(codeOf(signersCodec.decode(Uint8Array.of(0xc4, 1, 0b111)))).toBe('accepted');
  });

  it('is bounded', () => {
    expect(codeOf(signersCodec.decode(Uint8Array.of(0xc4, 17, ...Array<number>(17).fill(1))))).toBe('undecodable');
  });
});

describe('the signers of a certificate', () => {
  it.each([
    ['accepted', [0, 1, 2]],
    ['accepted', [0, 1, 2, 3]],
    ['quorum-missing', [0, 1]],
    ['quorum-missing', []],
    ['signers-unordered', [0, 1, 1]],
    ['signers-unordered', [2, 1, 0]],
    ['signer-unknown', [0, 1, 4]],
    ['signer-unknown', [0, 1, 2, 3, 4]],
  ])('of four validators are %s: %j', (code, signers) => {
    expect(codeOf(checkSigners(signers, 4, 3))).toBe(code);
  });
});
