/** The scheme over supranational's blst, as @chainsafe/blst packs it: a prebuilt native library with the tag built in. */
import blst from '@chainsafe/blst';
import { assert } from '../base/assert.ts';
import { ok, type Result } from '../base/result.ts';
import { DecodedKeys } from './decoded-keys.ts';
import { checkSecretKey } from './keys.ts';
import {
  messagesAreDistinct,
  publicKeyMalformed,
  decodes,
  reasonOf,
  SIGNATURE_BYTES,
  signatureMalformed,
  type SignatureScheme,
} from './scheme.ts';

// `true` below: without it the library accepts points outside the subgroup, and infinity as a key.
const decodedKeys = new DecodedKeys((bytes) => blst.PublicKey.fromBytes(bytes, true));

function decodeSignature(bytes: Uint8Array): blst.Signature {
  // The library also reads the uncompressed form of 192 bytes.
  if (bytes.length !== SIGNATURE_BYTES) throw new RangeError('a signature has 96 bytes');
  return blst.Signature.fromBytes(bytes, true);
}

function decodeSecretKey(bytes: Uint8Array): blst.SecretKey {
  assert(checkSecretKey(bytes).ok, 'the secret key is 32 bytes in [1, r)', { length: bytes.length });
  return blst.SecretKey.fromBytes(bytes);
}

/** By the flag of a compressed point, its second bit. */
function isInfinity(encoded: Uint8Array): boolean {
  return ((encoded[0] as number) & 0x40) !== 0;
}

/** The library throws on malformed input and on an aggregate key that is infinity: false, all of them. */
function holds(check: () => boolean): boolean {
  try {
    return check();
  } catch {
    return false;
  }
}

export const nativeScheme: SignatureScheme = {
  name: 'blst',

  publicKeyOf: (secretKey) => decodeSecretKey(secretKey).toPublicKey().toBytes(),

  sign: (secretKey, message) => decodeSecretKey(secretKey).sign(message).toBytes(),

  verify: (publicKey, message, signature) =>
    holds(() => blst.verify(message, decodedKeys.decode(publicKey), decodeSignature(signature))),

  aggregate(signatures): Result<Uint8Array> {
    const points: blst.Signature[] = [];
    for (const [index, bytes] of signatures.entries()) {
      try {
        points.push(decodeSignature(bytes));
      } catch (error) {
        return signatureMalformed(reasonOf(error), index);
      }
    }
    if (points.length === 0) return signatureMalformed('none given');
    const sum = blst.aggregateSignatures(points).toBytes();
    return isInfinity(sum) ? signatureMalformed('the sum is infinity') : ok(sum);
  },

  verifyAggregate: (publicKeys, message, signature) =>
    holds(() => {
      const keys = publicKeys.map((key) => decodedKeys.decode(key));
      return blst.fastAggregateVerify(message, keys, decodeSignature(signature));
    }),

  verifyAggregateOfDistinct: (groups, signature) =>
    holds(() => {
      if (!messagesAreDistinct(groups)) return false;
      const keys = groups.map(({ publicKeys }) =>
        blst.aggregatePublicKeys(publicKeys.map((key) => decodedKeys.decode(key))),
      );
      const messages = groups.map(({ message }) => message);
      return blst.aggregateVerify(messages, keys, decodeSignature(signature));
    }),

  checkPublicKey: (publicKey) => decodes(() => decodedKeys.decode(publicKey), publicKeyMalformed),

  checkSignature: (signature) => decodes(() => decodeSignature(signature), signatureMalformed),
};
