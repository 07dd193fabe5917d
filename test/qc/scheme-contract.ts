/** What every `SignatureScheme` must do: the published vectors, and all that hostile bytes can be. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from '../../src/base/bytes.ts';
import { unwrap } from '../../src/base/result.ts';
import { PUBLIC_KEY_BYTES, SIGNATURE_BYTES, type SignatureScheme } from '../../src/qc/scheme.ts';
import { codeOf } from './refusal.ts';
import { secretKey } from './validators.ts';

type Cases<I, O> = Readonly<Record<string, { readonly input: I; readonly output: O }>>;

interface Vectors {
  readonly sign: Cases<{ privkey: string; message: string }, string | null>;
  readonly verify: Cases<{ pubkey: string; message: string; signature: string }, boolean>;
  readonly aggregate: Cases<readonly string[], string | null>;
  readonly aggregate_verify: Cases<{ pubkeys: string[]; messages: string[]; signature: string }, boolean>;
  readonly fast_aggregate_verify: Cases<{ pubkeys: string[]; message: string; signature: string }, boolean>;
  readonly deserialization_G1: Cases<{ pubkey: string }, boolean>;
  readonly deserialization_G2: Cases<{ signature: string }, boolean>;
}

const vectors = JSON.parse(
  readFileSync(new URL('../vectors/bls/bls12-381-tests-v0.1.2.json', import.meta.url), 'utf8'),
) as Vectors;

const INFINITY_KEY = bytesOf('c0'.padEnd(2 * PUBLIC_KEY_BYTES, '0'));
const INFINITY_SIGNATURE = bytesOf('c0'.padEnd(2 * SIGNATURE_BYTES, '0'));

function bytesOf(hex: string): Uint8Array {
  const bytes = fromHex(hex.replace(/^0x/, ''));
  if (bytes === undefined) throw new Error(`not hex: ${hex}`);
  return bytes;
}

export function describeScheme(scheme: SignatureScheme): void {
  describe(`the published vectors of ethereum/bls12-381-tests, by ${scheme.name}`, () => {
    it.each(Object.entries(vectors.sign))('%s', (_, { input, output }) => {
      const sign = (): Uint8Array => scheme.sign(bytesOf(input.privkey), bytesOf(input.message));
      if (output === null) expect(sign).toThrow('the secret key is 32 bytes in [1, r)');
      else expect(`0x${toHex(sign())}`).toBe(output);
    });

    it.each(Object.entries(vectors.verify))('%s', (_, { input, output }) => {
      const { pubkey, message, signature } = input;
      expect(scheme.verify(bytesOf(pubkey), bytesOf(message), bytesOf(signature))).toBe(output);
    });

    it.each(Object.entries(vectors.aggregate))('%s', (name, { input, output }) => {
      const aggregate = scheme.aggregate(input.map(bytesOf));
      // Upstream adds up the point at infinity; here it is not a signature.
      const refused = output === null || name === 'aggregate_infinity_signature';
      if (refused) expect(codeOf(aggregate)).toBe('signature-malformed');
      else expect(`0x${toHex(unwrap(aggregate))}`).toBe(output);
    });

    it.each(Object.entries(vectors.aggregate_verify))('%s', (_, { input, output }) => {
      const groups = input.pubkeys.map((key, i) => ({
        publicKeys: [bytesOf(key)],
        message: bytesOf(input.messages[i] as string),
      }));
      expect(scheme.verifyAggregateOfDistinct(groups, bytesOf(input.signature))).toBe(output);
    });

    it.each(Object.entries(vectors.fast_aggregate_verify))('%s', (_, { input, output }) => {
      const { pubkeys, message, signature } = input;
      expect(scheme.verifyAggregate(pubkeys.map(bytesOf), bytesOf(message), bytesOf(signature))).toBe(output);
    });

    it.each(Object.entries(vectors.deserialization_G1))('G1 %s', (name, { input, output }) => {
      const lawful = output && name !== 'deserialization_succeeds_infinity_with_true_b_flag';
      expect(codeOf(scheme.checkPublicKey(bytesOf(input.pubkey)))).toBe(lawful ? 'accepted' : 'public-key-malformed');
    });

    it.each(Object.entries(vectors.deserialization_G2))('G2 %s', (name, { input, output }) => {
      const lawful = output && name !== 'deserialization_succeeds_infinity_with_true_b_flag';
      expect(codeOf(scheme.checkSignature(bytesOf(input.signature)))).toBe(lawful ? 'accepted' : 'signature-malformed');
    });
  });

  describe(`hostile input, to ${scheme.name}`, () => {
    const message = Uint8Array.of(1, 2, 3);
    const other = Uint8Array.of(1, 2, 4);
    const secrets = [1, 2, 3].map(secretKey);
    const keys = secrets.map((secret) => scheme.publicKeyOf(secret));
    const signatures = secrets.map((secret) => scheme.sign(secret, message));
    const aggregate = unwrap(scheme.aggregate(signatures));
    const [key, signature] = [keys[0] as Uint8Array, signatures[0] as Uint8Array];

    it('signs deterministically, 96 bytes for a key of 48', () => {
      expect(key).toHaveLength(PUBLIC_KEY_BYTES);
      expect(signature).toHaveLength(SIGNATURE_BYTES);
      expect(scheme.sign(secrets[0] as Uint8Array, message)).toEqual(signature);
      expect(scheme.verify(key, message, signature)).toBe(true);
      expect(scheme.verify(key, other, signature)).toBe(false);
    });

    it('signs and verifies an empty message and a long one', () => {
      for (const bytes of [new Uint8Array(0), new Uint8Array(100_000).fill(7)]) {
        expect(scheme.verify(key, bytes, scheme.sign(secrets[0] as Uint8Array, bytes))).toBe(true);
      }
    });

    it('accepts an aggregate of exactly its signers, in any order', () => {
      expect(scheme.verifyAggregate(keys, message, aggregate)).toBe(true);
      expect(scheme.verifyAggregate(keys.toReversed(), message, aggregate)).toBe(true);
      expect(scheme.verifyAggregate(keys.slice(1), message, aggregate)).toBe(false);
      expect(scheme.verifyAggregate([...keys, key], message, aggregate)).toBe(false);
      expect(scheme.verifyAggregate(keys, other, aggregate)).toBe(false);
    });

    it('accepts an aggregate over groups with distinct messages, whoever shares one', () => {
      const mixed = unwrap(
        scheme.aggregate(
          [signatures[0], signatures[1]].map((s) => s as Uint8Array).concat(scheme.sign(secretKey(3), other)),
        ),
      );
      const groups = [
        { publicKeys: keys.slice(0, 2), message },
        { publicKeys: keys.slice(2), message: other },
      ];
      expect(scheme.verifyAggregateOfDistinct(groups, mixed)).toBe(true);
      expect(scheme.verifyAggregateOfDistinct(groups.slice(0, 1), mixed)).toBe(false);
      expect(scheme.verifyAggregateOfDistinct([{ publicKeys: keys, message }], aggregate)).toBe(true);
    });

    it('refuses groups that repeat a message, are empty or are none', () => {
      const repeated = keys.map((publicKey) => ({ publicKeys: [publicKey], message }));
      expect(scheme.verifyAggregateOfDistinct(repeated, aggregate)).toBe(false);
      expect(scheme.verifyAggregateOfDistinct([], aggregate)).toBe(false);
      const withEmpty = [
        { publicKeys: keys, message },
        { publicKeys: [], message: other },
      ];
      expect(scheme.verifyAggregateOfDistinct(withEmpty, aggregate)).toBe(false);
      expect(scheme.verifyAggregate([], message, aggregate)).toBe(false);
    });

    it('takes infinity for no key and no signature', () => {
      expect(codeOf(scheme.checkPublicKey(INFINITY_KEY))).toBe('public-key-malformed');
      expect(codeOf(scheme.checkSignature(INFINITY_SIGNATURE))).toBe('signature-malformed');
      expect(scheme.verify(INFINITY_KEY, message, INFINITY_SIGNATURE)).toBe(false);
      expect(scheme.verifyAggregate([key, INFINITY_KEY], message, signature)).toBe(false);
    });

    it('refuses the sum of two keys that cancel out, which is infinity', () => {
      const negative = negated(secretKey(1));
      const negativeKey = scheme.publicKeyOf(negative);
      const sum = scheme.aggregate([signature, scheme.sign(negative, message)]);
      expect(codeOf(sum)).toBe('signature-malformed');
      expect(scheme.verifyAggregate([key, negativeKey], message, INFINITY_SIGNATURE)).toBe(false);
      expect(scheme.verifyAggregate([key, negativeKey], message, signature)).toBe(false);
      const groups = [{ publicKeys: [key, negativeKey], message }];
      expect(scheme.verifyAggregateOfDistinct(groups, INFINITY_SIGNATURE)).toBe(false);
    });

    it('answers false to keys and signatures of any wrong length, the uncompressed forms included', () => {
      for (const length of [0, 1, 47, 49, 96, 192]) {
        expect(scheme.verify(new Uint8Array(length), message, signature)).toBe(false);
        expect(codeOf(scheme.checkPublicKey(new Uint8Array(length)))).toBe('public-key-malformed');
      }
      for (const length of [0, 1, 48, 95, 97, 192]) {
        expect(scheme.verify(key, message, new Uint8Array(length))).toBe(false);
        expect(codeOf(scheme.checkSignature(new Uint8Array(length)))).toBe('signature-malformed');
      }
    });

    it('names the signature that cannot be aggregated', () => {
      const refused = scheme.aggregate([signature, new Uint8Array(SIGNATURE_BYTES), signature]);
      expect(refused.ok ? undefined : refused.refusal).toMatchObject({
        code: 'signature-malformed',
        details: { index: 1 },
      });
    });

    it('does not sign with bytes that are no secret key', () => {
      for (const bytes of [new Uint8Array(31), new Uint8Array(32), new Uint8Array(32).fill(0xff)]) {
        expect(() => scheme.sign(bytes, message)).toThrow('the secret key is 32 bytes in [1, r)');
        expect(() => scheme.publicKeyOf(bytes)).toThrow('the secret key is 32 bytes in [1, r)');
      }
    });
  });
}

/** r - k, whose public key is the negative of k's. */
function negated(secret: Uint8Array): Uint8Array {
  const order = 0x73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001n;
  return bytesOf((order - BigInt(`0x${toHex(secret)}`)).toString(16).padStart(64, '0'));
}
