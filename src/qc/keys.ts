/** BLS secret keys: the draft's KeyGen, so the same seed gives the same key whatever the scheme. */
import { hkdf } from '@noble/hashes/hkdf.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { assert } from '../base/assert.ts';
import { concatBytes, toHex, utf8 } from '../base/bytes.ts';
import { ok, refuse, type Result } from '../base/result.ts';
import { SECRET_KEY_BYTES } from './scheme.ts';

/** The order of the groups G1 and G2. */
const R = 0x73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001n;

export const MIN_SEED_BYTES = 32;

/**
 * KeyGen of draft-irtf-cfrg-bls-signature-05, section 2.3, with empty key_info (also hkdf_mod_r of EIP-2333).
 *
 * @param seed at least 32 bytes of entropy from a secure source
 * @returns 32 bytes, big-endian, in [1, r)
 */
export function secretKeyFromSeed(seed: Uint8Array): Uint8Array {
  assert(seed.length >= MIN_SEED_BYTES, 'a seed has at least 32 bytes', { length: seed.length });
  // L = ceil(3 * ceil(log2(r)) / 16) = 48 bytes, so that the reduction by r leaves no bias.
  const input = concatBytes(seed, Uint8Array.of(0));
  const info = Uint8Array.of(0, 48);
  let salt = utf8('BLS-SIG-KEYGEN-SALT-');
  for (;;) {
    salt = sha256(salt);
    const scalar = BigInt(`0x${toHex(hkdf(sha256, input, salt, info, 48))}`) % R;
    if (scalar !== 0n) return scalarBytes(scalar);
  }
}

/** For a key read from a file. Refusal: `secret-key-malformed`. */
export function checkSecretKey(secretKey: Uint8Array): Result<void> {
  if (secretKey.length === SECRET_KEY_BYTES) {
    const scalar = BigInt(`0x${toHex(secretKey)}`);
    if (scalar > 0n && scalar < R) return ok(undefined);
  }
  return refuse(
    'secret-key-malformed',
    'not a BLS secret key: 32 bytes, big-endian, above 0 and below the group order',
    {
      bytes: secretKey.length,
    },
  );
}

function scalarBytes(scalar: bigint): Uint8Array {
  return Uint8Array.from({ length: SECRET_KEY_BYTES }, (_, i) => Number((scalar >> BigInt(8 * (31 - i))) & 0xffn));
}
