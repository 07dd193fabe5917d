/**
 * The scheme in JavaScript, over @noble/curves: for browsers, and wherever the native library does not load.
 * About 45 times as slow at signing and 23 times at verifying.
 */
import { bls12_381 } from '@noble/curves/bls12-381.js';
import { assert } from '../base/assert.ts';
import { equalBytes } from '../base/bytes.ts';
import { ok, type Result } from '../base/result.ts';
import { DecodedKeys } from './decoded-keys.ts';
import { checkSecretKey } from './keys.ts';
import {
  DOMAIN_SEPARATION_TAG,
  messagesAreDistinct,
  publicKeyMalformed,
  decodes,
  reasonOf,
  SIGNATURE_BYTES,
  signatureMalformed,
  type SignatureScheme,
} from './scheme.ts';

const bls = bls12_381.longSignatures;

type PublicKeyPoint = ReturnType<typeof bls.getPublicKey>;
type SignaturePoint = ReturnType<typeof bls.sign>;

const decodedKeys = new DecodedKeys((bytes): PublicKeyPoint => {
  const point = bls12_381.G1.Point.fromBytes(bytes);
  if (point.is0()) throw new RangeError('the point is infinity');
  point.assertValidity();
  // The library reduces a coordinate above the modulus instead of refusing it.
  if (!equalBytes(point.toBytes(), bytes)) throw new RangeError('the encoding is not canonical');
  return point;
});

function decodeSignature(bytes: Uint8Array): SignaturePoint {
  // The library also reads the uncompressed form of 192 bytes.
  if (bytes.length !== SIGNATURE_BYTES) throw new RangeError('a signature has 96 bytes');
  const point = bls.Signature.fromBytes(bytes);
  if (point.is0()) throw new RangeError('the point is infinity');
  if (!equalBytes(bls.Signature.toBytes(point), bytes)) throw new RangeError('the encoding is not canonical');
  return point;
}

function assertSecretKey(bytes: Uint8Array): void {
  assert(checkSecretKey(bytes).ok, 'the secret key is 32 bytes in [1, r)', { length: bytes.length });
}

function hashToCurve(message: Uint8Array): SignaturePoint {
  return bls.hash(message, DOMAIN_SEPARATION_TAG);
}

/** The library throws on malformed input and on an aggregate key that is infinity: false, all of them. */
function holds(check: () => boolean): boolean {
  try {
    return check();
  } catch {
    return false;
  }
}

export const nobleScheme: SignatureScheme = {
  name: 'noble',

  publicKeyOf(secretKey) {
    assertSecretKey(secretKey);
    return bls.getPublicKey(secretKey).toBytes();
  },

  sign(secretKey, message) {
    assertSecretKey(secretKey);
    return bls.Signature.toBytes(bls.sign(hashToCurve(message), secretKey));
  },

  verify: (publicKey, message, signature) =>
    holds(() => bls.verify(decodeSignature(signature), hashToCurve(message), decodedKeys.decode(publicKey))),

  aggregate(signatures): Result<Uint8Array> {
    const points: SignaturePoint[] = [];
    for (const [index, bytes] of signatures.entries()) {
      try {
        points.push(decodeSignature(bytes));
      } catch (error) {
        return signatureMalformed(reasonOf(error), index);
      }
    }
    if (points.length === 0) return signatureMalformed('none given');
    const sum = points.reduce((total, point) => total.add(point));
    return sum.is0() ? signatureMalformed('the sum is infinity') : ok(bls.Signature.toBytes(sum));
  },

  verifyAggregate: (publicKeys, message, signature) =>
    holds(() => {
      const key = bls.aggregatePublicKeys(publicKeys.map((bytes) => decodedKeys.decode(bytes)));
      return bls.verify(decodeSignature(signature), hashToCurve(message), key);
    }),

  verifyAggregateOfDistinct: (groups, signature) =>
    holds(() => {
      if (!messagesAreDistinct(groups)) return false;
      const items = groups.map(({ publicKeys, message }) => ({
        message: hashToCurve(message),
        publicKey: bls.aggregatePublicKeys(publicKeys.map((bytes) => decodedKeys.decode(bytes))),
      }));
      return bls.verifyBatch(decodeSignature(signature), items);
    }),

  checkPublicKey: (publicKey) => decodes(() => decodedKeys.decode(publicKey), publicKeyMalformed),

  checkSignature: (signature) => decodes(() => decodeSignature(signature), signatureMalformed),
};
