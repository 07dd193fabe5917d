/**
 * BLS signatures over BLS12-381 as draft-irtf-cfrg-bls-signature-05 has them: public keys in G1, signatures in G2,
 * proof-of-possession scheme. One interface, two implementations that agree byte for byte.
 *
 * Aggregates of one message are only sound for keys with a proof of possession (section 3.3 of the draft): a key comes
 * to these functions out of a `ValidatorSet`, which demands one.
 */
import { toHex } from '../base/bytes.ts';
import { ok, refuse, type Refused, type Result } from '../base/result.ts';

/** The ciphersuite's tag. The native library has it built in; kinds of messages differ by their first byte instead. */
export const DOMAIN_SEPARATION_TAG = 'BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_';

export const SECRET_KEY_BYTES = 32;
/** A compressed point of G1. */
export const PUBLIC_KEY_BYTES = 48;
/** A compressed point of G2. */
export const SIGNATURE_BYTES = 96;

/** One message and those who signed it. */
export interface SignerGroup {
  readonly publicKeys: readonly Uint8Array[];
  readonly message: Uint8Array;
}

/**
 * Bytes in, bytes out; no method throws on hostile input. `verify*` answer false to whatever is malformed: a wrong
 * length, a point off the curve or outside the subgroup, the point at infinity, a non-canonical encoding.
 */
export interface SignatureScheme {
  readonly name: 'blst' | 'noble';
  /** @throws AssertionError unless the key is 32 bytes, big-endian, in [1, r): keys are our own (`checkSecretKey`) */
  publicKeyOf(secretKey: Uint8Array): Uint8Array;
  /** Deterministic. @throws AssertionError as `publicKeyOf` */
  sign(secretKey: Uint8Array, message: Uint8Array): Uint8Array;
  verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;
  /**
   * The sum of the signatures, each checked as by `checkSignature`. Refusal: `signature-malformed` with its `index`, or
   * where they cancel out: two keys can be each other's negatives.
   */
  aggregate(signatures: readonly Uint8Array[]): Result<Uint8Array>;
  /** Whether `signature` is the aggregate of signatures of `message` by every one of `publicKeys` (at least one). */
  verifyAggregate(publicKeys: readonly Uint8Array[], message: Uint8Array, signature: Uint8Array): boolean;
  /** The same over several distinct messages; false for no groups, an empty group or a message that repeats. */
  verifyAggregateOfDistinct(groups: readonly SignerGroup[], signature: Uint8Array): boolean;
  /** Refusal: `public-key-malformed`. Length, canonical encoding, curve, subgroup, not infinity. */
  checkPublicKey(publicKey: Uint8Array): Result<void>;
  /** Refusal: `signature-malformed`. Length, canonical encoding, curve, subgroup, not infinity. */
  checkSignature(signature: Uint8Array): Result<void>;
}

export function publicKeyMalformed(reason: string): Refused {
  return refuse('public-key-malformed', 'not a BLS public key: a compressed point of the G1 subgroup', { reason });
}

/** @param index position in the list that was given */
export function signatureMalformed(reason: string, index = 0): Refused {
  return refuse('signature-malformed', 'not a BLS signature: a compressed point of the G2 subgroup', { reason, index });
}

/** What a library says of bytes that it does not decode. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** What `check*` answers. @param decode throws at what is no such point */
export function decodes(decode: () => unknown, malformed: (reason: string) => Refused): Result<void> {
  try {
    decode();
    return ok(undefined);
  } catch (error) {
    return malformed(reasonOf(error));
  }
}

/** For `verifyAggregateOfDistinct`: at least one group, and no message twice. */
export function messagesAreDistinct(groups: readonly SignerGroup[]): boolean {
  return groups.length > 0 && new Set(groups.map(({ message }) => toHex(message))).size === groups.length;
}
