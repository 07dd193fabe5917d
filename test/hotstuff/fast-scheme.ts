/**
 * A signature scheme for tests that behaves as BLS does and costs microseconds: signatures add up (by XOR), aggregates
 * verify against keys and messages, everything else is refused. It keeps no secret: the public key holds the secret one.
 */
import { concatBytes, equalBytes } from '../../src/base/bytes.ts';
import { sha256 } from '../../src/base/hash.ts';
import { ok, type Result } from '../../src/base/result.ts';
import {
  messagesAreDistinct,
  PUBLIC_KEY_BYTES,
  publicKeyMalformed,
  SECRET_KEY_BYTES,
  SIGNATURE_BYTES,
  signatureMalformed,
  type SignatureScheme,
  type SignerGroup,
} from '../../src/qc/scheme.ts';

function publicKeyOf(secretKey: Uint8Array): Uint8Array {
  return concatBytes(secretKey, new Uint8Array(PUBLIC_KEY_BYTES - SECRET_KEY_BYTES));
}

function sign(secretKey: Uint8Array, message: Uint8Array): Uint8Array {
  const digest = sha256(concatBytes(secretKey, message));
  return concatBytes(digest, digest, digest);
}

function sum(signatures: readonly Uint8Array[]): Uint8Array {
  const total = new Uint8Array(SIGNATURE_BYTES);
  for (const signature of signatures) for (let i = 0; i < total.length; i++) total[i]! ^= signature[i]!;
  return total;
}

function isSignature(signature: Uint8Array): boolean {
  return signature.length === SIGNATURE_BYTES && signature.some((byte) => byte !== 0);
}

function verifyGroups(groups: readonly SignerGroup[], signature: Uint8Array): boolean {
  if (!messagesAreDistinct(groups) || groups.some(({ publicKeys }) => publicKeys.length === 0)) return false;
  const expected = groups.flatMap(({ publicKeys, message }) =>
    publicKeys.map((key) => sign(key.subarray(0, SECRET_KEY_BYTES), message)),
  );
  return isSignature(signature) && equalBytes(sum(expected), signature);
}

export const fastScheme = {
  name: 'fast',
  publicKeyOf,
  sign,
  verify: (publicKey, message, signature) => verifyGroups([{ publicKeys: [publicKey], message }], signature),
  aggregate(signatures): Result<Uint8Array> {
    const malformed = signatures.findIndex((signature) => !isSignature(signature));
    return malformed >= 0 ? signatureMalformed('length', malformed) : ok(sum(signatures));
  },
  verifyAggregate: (publicKeys, message, signature) => verifyGroups([{ publicKeys, message }], signature),
  verifyAggregateOfDistinct: verifyGroups,
  checkPublicKey: (publicKey) => (publicKey.length === PUBLIC_KEY_BYTES ? ok(undefined) : publicKeyMalformed('length')),
  checkSignature: (signature) => (isSignature(signature) ? ok(undefined) : signatureMalformed('length')),
} as Omit<SignatureScheme, 'name'> & { name: string } as SignatureScheme;
