/**
 * The one predicate of a valid identity signature.
 *
 * Libraries differ on the edges, and replicas that disagree about one signature fork. So the predicate is written
 * down; the part of it that costs nothing is checked here, before any library is asked, and narrows what they see to
 * inputs on which they agree (test/ledger/signature-vectors.ts runs on every backend):
 *
 * ed25519 (RFC 8032), public key A, signature R || S, over the message itself:
 *   1. A, R and S have 32 bytes each;
 *   2. S < L (otherwise S + L is a second signature of the same message);
 *   3. A and R are canonical: y < p, and x = 0 never with the sign bit;
 *   4. neither A nor R is one of the eight points of small order (such a key signs every message);
 *   5. the cofactorless equation: the encoding of S·B − k·A equals R, k = SHA-512(R || A || message) mod L.
 *   (Chalkias, Garillot, Nikolaenko, "Taming the many EdDSAs", 2020: this is their strictest column.)
 *
 * secp256k1 (ECDSA over SHA-256 of the message, as libp2p signs):
 *   1. strict DER (BIP 66);
 *   2. 0 < r < n, 0 < s <= n / 2 (low S, BIP 146: otherwise n − s is a second signature);
 *   3. the public key is a point of the curve, compressed;
 *   4. the ECDSA equation.
 */
import { fromHex, startsWith } from '../base/bytes.ts';
import { assert } from '../base/assert.ts';
import { ok, refuse, type Refused, type Result } from '../base/result.ts';
import type { Identity } from './identity.ts';

/** What of an identity a signature is checked with. */
export type SigningKey = Pick<Identity, 'keyType' | 'publicKey'>;

export interface SignatureVerifier {
  /** The whole predicate, form included. Never throws. */
  verify(identity: Identity, message: Uint8Array, signature: Uint8Array): boolean;
}

/** DER of two 32-byte numbers, each with a leading zero at most. */
export const MAX_SIGNATURE_BYTES = 72;

/** Everything but the equation and the point's being on its curve. Refusals: `signature-not-canonical`. */
export function checkSignatureForm({ keyType, publicKey }: SigningKey, signature: Uint8Array): Result<void> {
  return keyType === 'ed25519' ? checkEd25519Form(publicKey, signature) : checkSecp256k1Form(signature);
}

function malformed(reason: string, signature: Uint8Array): Refused {
  return refuse('signature-not-canonical', 'the signature does not have the required form', {
    reason,
    bytes: signature.length,
  });
}

/** The order of ed25519's prime subgroup, big-endian. */
const ED25519_L = bytesOf('1000000000000000000000000000000014def9dea2f79cd65812631a5cf5d3ed');
const ED25519_P = bytesOf('7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed');

/**
 * The points of order 1, 2, 4 and 8, as they are encoded (little-endian, sign of x in the top bit), and the two
 * encodings with x = 0 and the sign bit, which are not canonical.
 */
const SMALL_ORDER: readonly Uint8Array[] = [
  '0100000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000080',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0000000000000000000000000000000000000000000000000000000000000080',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
].map(bytesOf);

function checkEd25519Form(publicKey: Uint8Array, signature: Uint8Array): Result<void> {
  if (publicKey.length !== 32) return malformed('an ed25519 key has 32 bytes', signature);
  if (signature.length !== 64) return malformed('an ed25519 signature has 64 bytes', signature);
  if (!isBelow(signature, 32, ED25519_L, 0xff)) return malformed('S is not below L', signature);
  if (!isBelow(publicKey, 0, ED25519_P, 0x7f)) return malformed('A is not canonical', signature);
  if (!isBelow(signature, 0, ED25519_P, 0x7f)) return malformed('R is not canonical', signature);
  if (isSmallOrder(publicKey)) return malformed('A has small order', signature);
  if (isSmallOrder(signature)) return malformed('R has small order', signature);
  return ok(undefined);
}

/** Of the 32 bytes at `offset`, little-endian, of whose last only the bits in `topMask` count. */
function isBelow(bytes: Uint8Array, offset: number, bound: Uint8Array, topMask: number): boolean {
  for (let i = 0; i < 32; i++) {
    const byte = (bytes[offset + 31 - i] as number) & (i === 0 ? topMask : 0xff);
    const difference = byte - (bound[i] as number);
    if (difference !== 0) return difference < 0;
  }
  return false;
}

/** Of the first 32 bytes. */
function isSmallOrder(bytes: Uint8Array): boolean {
  return SMALL_ORDER.some((encoding) => startsWith(bytes, encoding));
}

const SECP256K1_N = bytesOf('fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141');
const SECP256K1_HALF_N = bytesOf('7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0');

/** 30 length 02 length r 02 length s, every length in one byte and the shortest. */
function checkSecp256k1Form(signature: Uint8Array): Result<void> {
  if (signature.length < 8 || signature.length > MAX_SIGNATURE_BYTES) {
    return malformed('a DER signature has 8 to 72 bytes', signature);
  }
  if (signature[0] !== 0x30 || signature[1] !== signature.length - 2) {
    return malformed('not one DER sequence of the whole length', signature);
  }
  const r = derInteger(signature, 2);
  const s = r && derInteger(signature, r.end);
  if (r === undefined || s === undefined || s.end !== signature.length) {
    return malformed('not two DER integers', signature);
  }
  if (!isBetween(r.digits, SECP256K1_N, false)) return malformed('r is out of range', signature);
  if (!isBetween(s.digits, SECP256K1_HALF_N, true)) return malformed('s is zero or high', signature);
  return ok(undefined);
}

/** @returns the digits without a leading zero, or undefined unless they are the shortest form of a positive number */
function derInteger(der: Uint8Array, start: number): { digits: Uint8Array; end: number } | undefined {
  const length = der[start + 1] ?? 0;
  const first = start + 2;
  const end = first + length;
  if (der[start] !== 0x02 || length === 0 || length > 33 || end > der.length) return undefined;
  const top = der[first] as number;
  if (top >= 0x80) return undefined;
  if (top !== 0) return { digits: der.subarray(first, end), end };
  // A zero may only lead where the next byte would read as a sign; the number zero itself has no digits.
  if (length > 1 && (der[first + 1] as number) < 0x80) return undefined;
  return { digits: der.subarray(first + 1, end), end };
}

/** Whether 0 < digits < bound (<= bound if `inclusive`); big-endian, digits without leading zeros. */
function isBetween(digits: Uint8Array, bound: Uint8Array, inclusive: boolean): boolean {
  if (digits.length === 0 || digits.length > 32) return false;
  if (digits.length < 32) return true;
  for (let i = 0; i < 32; i++) {
    const difference = (digits[i] as number) - (bound[i] as number);
    if (difference !== 0) return difference < 0;
  }
  return inclusive;
}

function bytesOf(hex: string): Uint8Array {
  const bytes = fromHex(hex);
  assert(bytes !== undefined, 'the constant is hexadecimal', { hex });
  return bytes;
}
