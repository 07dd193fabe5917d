/**
 * A signature scheme for tests that behaves as BLS does and costs less than a microsecond: signatures add up (by XOR),
 * aggregates verify against keys and messages, everything else is refused. It keeps no secret, the public key holds the
 * secret one; and nobody here looks for two messages of one digest, so that the digest is no cryptographic one.
 */
import { concatBytes, equalBytes } from '../../src/base/bytes.ts';
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

/** Three running sums of 32 bits, each over everything. */
const lanes = new Int32Array(3);
/** Digests that were added up. */
const total = new Int32Array(3);
const words = new Int32Array(SIGNATURE_BYTES / 4);
const wordBytes = new Uint8Array(words.buffer);

function take(bytes: Uint8Array, length: number): void {
  const whole = length - (length % 4);
  let a = lanes[0]! ^ length;
  let b = lanes[1]!;
  let c = lanes[2]!;
  for (let i = 0; i < length; i += i < whole ? 4 : 1) {
    let word = bytes[i]!;
    if (i < whole) word |= (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    a = Math.imul(a ^ word, 0x9e3779b1);
    a ^= a >>> 15;
    b = Math.imul(b ^ word, 0x85ebca6b);
    b ^= b >>> 13;
    c = Math.imul(c + word, 0xc2b2ae35);
    c ^= c >>> 16;
  }
  lanes[0] = mixed(a ^ c);
  lanes[1] = mixed(b ^ a);
  lanes[2] = mixed(c ^ b);
}

/** The finalizer of MurmurHash3. */
function mixed(value: number): number {
  const half = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  const hash = Math.imul(half ^ (half >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

/** Adds twelve bytes that are a function of the first bytes of the key and of the message. */
function addDigest(key: Uint8Array, keyBytes: number, message: Uint8Array): void {
  lanes.fill(0x5eed);
  take(key, keyBytes);
  take(message, message.length);
  for (let i = 0; i < 3; i++) total[i]! ^= lanes[i]!;
}

/** What was added up, over and over, as so many bytes that are overwritten by the next call. */
function takeTotal(bytes: number): Uint8Array {
  for (let word = 0; word < bytes >> 2; word++) words[word] = total[word % 3]!;
  total.fill(0);
  return wordBytes.subarray(0, bytes);
}

/** At most 96 bytes, four at a time, that are a function of key and message. */
export function keyedDigest(key: Uint8Array, message: Uint8Array, bytes: number): Uint8Array {
  addDigest(key, key.length, message);
  return takeTotal(bytes).slice();
}

function publicKeyOf(secretKey: Uint8Array): Uint8Array {
  return concatBytes(secretKey, new Uint8Array(PUBLIC_KEY_BYTES - SECRET_KEY_BYTES));
}

function sign(secretKey: Uint8Array, message: Uint8Array): Uint8Array {
  return keyedDigest(secretKey, message, SIGNATURE_BYTES);
}

function sum(signatures: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(SIGNATURE_BYTES);
  for (const signature of signatures) for (let i = 0; i < all.length; i++) all[i]! ^= signature[i]!;
  return all;
}

function isSignature(signature: Uint8Array): boolean {
  return signature.length === SIGNATURE_BYTES && signature.some((byte) => byte !== 0);
}

function verifyGroups(groups: readonly SignerGroup[], signature: Uint8Array): boolean {
  if (groups.length !== 1 && !messagesAreDistinct(groups)) return false;
  if (groups.some(({ publicKeys }) => publicKeys.length === 0)) return false;
  for (const { message, publicKeys } of groups) {
    for (const key of publicKeys) addDigest(key, SECRET_KEY_BYTES, message);
  }
  return equalBytes(takeTotal(SIGNATURE_BYTES), signature) && isSignature(signature);
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
