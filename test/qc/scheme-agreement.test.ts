/** The two schemes give the same bytes and the same verdicts, on random input of a fixed seed. */
import { describe, expect, it } from 'vitest';
import { Random } from '../../src/base/random.ts';
import { unwrap } from '../../src/base/result.ts';
import { secretKeyFromSeed } from '../../src/qc/keys.ts';
import { nativeScheme } from '../../src/qc/scheme-native.ts';
import { nobleScheme } from '../../src/qc/scheme-noble.ts';

describe('the native and the pure scheme', () => {
  it('make the same keys, signatures and aggregates, and accept each other', () => {
    const random = new Random(20_240_601);
    for (let round = 0; round < 8; round++) {
      const message = random.bytes(random.below(300));
      const secrets = Array.from({ length: 1 + random.below(3) }, () => secretKeyFromSeed(random.bytes(32)));
      const keys = secrets.map((secret) => nativeScheme.publicKeyOf(secret));
      expect(secrets.map((secret) => nobleScheme.publicKeyOf(secret))).toEqual(keys);
      const signatures = secrets.map((secret) => nativeScheme.sign(secret, message));
      expect(secrets.map((secret) => nobleScheme.sign(secret, message))).toEqual(signatures);
      const aggregate = unwrap(nativeScheme.aggregate(signatures));
      expect(unwrap(nobleScheme.aggregate(signatures))).toEqual(aggregate);
      expect(nativeScheme.verifyAggregate(keys, message, aggregate)).toBe(true);
      expect(nobleScheme.verifyAggregate(keys, message, aggregate)).toBe(true);
    }
  });

  it('judge altered keys and signatures alike, those on the curve but outside the group included', () => {
    const random = new Random(7);
    const secret = secretKeyFromSeed(random.bytes(32));
    const key = nativeScheme.publicKeyOf(secret);
    const signature = nativeScheme.sign(secret, Uint8Array.of(1));
    const seen = new Set<string>();
    for (let round = 0; round < 120; round++) {
      const [alteredKey, alteredSignature] = [altered(key, random), altered(signature, random)];
      const verdict = nativeScheme.checkPublicKey(alteredKey);
      expect(nobleScheme.checkPublicKey(alteredKey).ok).toBe(verdict.ok);
      expect(nobleScheme.checkSignature(alteredSignature).ok).toBe(nativeScheme.checkSignature(alteredSignature).ok);
      seen.add(verdict.ok ? 'accepted' : String(verdict.refusal.details['reason']));
    }
    expect(seen.size).toBeGreaterThan(2);
  });
});

/** One to three random bytes replaced, anywhere or in the flags. */
function altered(bytes: Uint8Array, random: Random): Uint8Array {
  const copy = bytes.slice();
  for (let i = 0; i <= random.below(3); i++)
    copy[random.chance(0.2) ? 0 : random.below(copy.length)] = random.below(256);
  return copy;
}
