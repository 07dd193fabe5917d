import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { unwrap } from '../../src/base/result.ts';
import { possessionPreimage } from '../../src/qc/ballot.ts';
import { MAX_VALIDATORS } from '../../src/qc/bitmap.ts';
import { nativeScheme } from '../../src/qc/scheme-native.ts';
import {
  decodeValidatorSet,
  encodeValidatorSet,
  faultsOf,
  makeValidatorSet,
  quorumOf,
  ValidatorSet,
} from '../../src/qc/validator-set.ts';
import { codeOf } from './refusal.ts';
import { EPOCH, firstOf, hashOf, peerId, registration, secretKey, validatorSet } from './validators.ts';

describe('the quorum', () => {
  it.each([
    // n, f, q; 2f + 1 would be 3 for n = 6 and 5 for n = 9: two quorums without a validator in common.
    [1, 0, 1],
    [2, 0, 2],
    [3, 0, 3],
    [4, 1, 3],
    [5, 1, 4],
    [6, 1, 5],
    [7, 2, 5],
    [8, 2, 6],
    [9, 2, 7],
    [10, 3, 7],
    [16, 5, 11],
    [31, 10, 21],
    [64, 21, 43],
    [100, 33, 67],
    [128, 42, 86],
  ])('of %i validators, %i of them faulty, is %i', (n, f, quorum) => {
    expect(faultsOf(n)).toBe(f);
    expect(quorumOf(n)).toBe(quorum);
  });

  it('is always shared by a correct validator, and always reached without the faulty ones', () => {
    for (let n = 1; n <= MAX_VALIDATORS; n++) {
      const [f, quorum] = [faultsOf(n), quorumOf(n)];
      expect(2 * quorum - n, `n = ${n}`).toBeGreaterThan(f);
      expect(n - f, `n = ${n}`).toBeGreaterThanOrEqual(quorum);
      expect(n, `n = ${n}`).toBeGreaterThan(3 * f);
    }
  });

  it('cannot be two disjoint halves of six', () => {
    const set = validatorSet(6);
    expect(set.quorum).toBe(5);
    expect(2 * set.quorum - set.n).toBeGreaterThan(set.f);
  });
});

describe('a validator set', () => {
  it('is sorted by peer id, whatever the order of registration', () => {
    const order = [2, 0, 3, 1];
    const set = unwrap(
      makeValidatorSet(
        EPOCH,
        order.map((i) => registration(i)),
        nativeScheme,
      ),
    );
    expect(set.members.map((member) => member.peerId)).toEqual(firstOf(4).map(peerId));
    expect(set.digest).toBe(validatorSet(4).digest);
    expect(firstOf(4).map((i) => set.indexOf(peerId(i)))).toEqual([0, 1, 2, 3]);
    expect(set.indexOf('somebody')).toBeUndefined();
    expect(set.publicKeysOf([1, 3])).toEqual([set.member(1).blsPublicKey, set.member(3).blsPublicKey]);
    expect(() => set.member(4)).toThrow('the index is of a member');
  });

  it('has another digest in another epoch or with another member', () => {
    const registrations = firstOf(4).map((i) => registration(i));
    const nextEpoch = unwrap(makeValidatorSet(EPOCH + 1, registrations, nativeScheme));
    const other = unwrap(makeValidatorSet(EPOCH, [...registrations.slice(0, 3), registration(9)], nativeScheme));
    expect(new Set([validatorSet(4).digest, nextEpoch.digest, other.digest]).size).toBe(3);
  });

  it('is made by its own file alone', () => {
    const forged: symbol = Symbol('made by validator-set.ts');
    expect(() => new ValidatorSet(forged as never, EPOCH, [])).toThrow('a validator set is made by its own file');
  });

  it('has from one to 128 members', () => {
    expect(codeOf(makeValidatorSet(EPOCH, [], nativeScheme))).toBe('validators-out-of-bounds');
    const one = registration(0);
    const many = firstOf(MAX_VALIDATORS + 1).map((i) => ({ ...one, peerId: peerId(i) }));
    expect(codeOf(makeValidatorSet(EPOCH, many, nativeScheme))).toBe('validators-out-of-bounds');
    expect(validatorSet(1).quorum).toBe(1);
  });

  it('has every peer id and every key once', () => {
    const [a, b] = [registration(0), registration(1)];
    expect(codeOf(makeValidatorSet(EPOCH, [a, b, { ...b, peerId: a.peerId }], nativeScheme))).toBe(
      'duplicate-validator',
    );
    expect(codeOf(makeValidatorSet(EPOCH, [a, { ...a, peerId: b.peerId }], nativeScheme))).toBe('duplicate-bls-key');
    const long = { ...a, peerId: 'x'.repeat(65) };
    expect(codeOf(makeValidatorSet(EPOCH, [long], nativeScheme))).toBe('peer-id-too-long');
  });

  it('refuses a key without its proof of possession', () => {
    const [a, b] = [registration(0), registration(1)];
    const refused = makeValidatorSet(EPOCH, [a, { ...b, proofOfPossession: a.proofOfPossession }], nativeScheme);
    expect(refused.ok ? undefined : refused.refusal).toMatchObject({
      code: 'possession-unproven',
      details: { peerId: b.peerId },
    });
    const empty = { ...b, proofOfPossession: new Uint8Array(0) };
    expect(codeOf(makeValidatorSet(EPOCH, [a, empty], nativeScheme))).toBe('possession-unproven');
  });

  it("refuses another's key and proof under one's own peer id", () => {
    const stolen = { ...registration(1), peerId: peerId(2) };
    expect(codeOf(makeValidatorSet(EPOCH, [registration(0), stolen], nativeScheme))).toBe('possession-unproven');
  });

  it('refuses a proof made for another message by the right key', () => {
    const own = registration(0);
    const signed = nativeScheme.sign(secretKey(0), possessionPreimage(peerId(1), own.blsPublicKey));
    expect(codeOf(makeValidatorSet(EPOCH, [{ ...own, proofOfPossession: signed }], nativeScheme))).toBe(
      'possession-unproven',
    );
  });

  it('refuses bytes that are no key, and says whose', () => {
    for (const blsPublicKey of [new Uint8Array(48), new Uint8Array(47), new Uint8Array(48).fill(0xff)]) {
      const refused = makeValidatorSet(EPOCH, [{ ...registration(0), blsPublicKey }], nativeScheme);
      expect(refused.ok ? undefined : refused.refusal).toMatchObject({
        code: 'public-key-malformed',
        details: { peerId: peerId(0) },
      });
    }
  });
});

describe('an encoded validator set', () => {
  const set = validatorSet(4);
  const encoded = encodeValidatorSet(set);

  it('decodes to the same set under its digest', () => {
    const decoded = unwrap(decodeValidatorSet(encoded, set.digest));
    expect(decoded.members).toEqual(set.members);
    expect([decoded.epoch, decoded.quorum, decoded.digest]).toEqual([set.epoch, set.quorum, set.digest]);
  });

  it('is refused under another digest, and with any bit changed', () => {
    expect(codeOf(decodeValidatorSet(encoded, hashOf('another')))).toBe('validator-set-mismatch');
    fc.assert(
      fc.property(fc.nat(encoded.length * 8 - 1), (bit) => {
        const altered = encoded.slice();
        altered[bit >>> 3] = (altered[bit >>> 3] as number) ^ (1 << (bit & 7));
        expect(decodeValidatorSet(altered, set.digest).ok).toBe(false);
      }),
      { seed: 2, numRuns: 300 },
    );
  });

  it('is refused with unordered members even under its own digest', () => {
    const unordered = { epoch: EPOCH, members: set.members.toReversed() };
    const bytes = encodeValidatorSet(unordered);
    const expected = decodeValidatorSet(bytes, hashOf('any'));
    const digest = expected.ok ? '' : String(expected.refusal.details['digest']);
    expect(codeOf(decodeValidatorSet(bytes, digest as typeof set.digest))).toBe('validators-unordered');
  });
});
