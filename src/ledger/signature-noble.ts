/** The signature predicate (`signature.ts`) in pure JavaScript, for browsers and for comparison. */
import { ed25519 } from '@noble/curves/ed25519.js';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { sha512 } from '@noble/hashes/sha2.js';
import { concatBytes, equalBytes } from '../base/bytes.ts';
import { sha256 } from '../base/hash.ts';
import { checkSignatureForm, type SignatureVerifier } from './signature.ts';

export const nobleVerifier: SignatureVerifier = {
  verify(identity, message, signature) {
    if (!checkSignatureForm(identity, signature).ok) return false;
    try {
      return identity.keyType === 'ed25519'
        ? verifyEd25519(identity.publicKey, message, signature)
        : verifySecp256k1(identity.publicKey, message, signature);
    } catch {
      return false; // the public key is not a point of its curve
    }
  },
};

/** Written out, because the library's own `verify` multiplies by the cofactor, which accepts more. */
function verifyEd25519(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const { Point } = ed25519;
  const commitment = signature.subarray(0, 32);
  const s = littleEndian(signature.subarray(32));
  const k = littleEndian(sha512(concatBytes(commitment, publicKey, message))) % Point.Fn.ORDER;
  const expected = Point.BASE.multiplyUnsafe(s).subtract(Point.fromBytes(publicKey).multiplyUnsafe(k));
  return equalBytes(expected.toBytes(), commitment);
}

function verifySecp256k1(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  return secp256k1.verify(signature, sha256(message), publicKey, { format: 'der', prehash: false, lowS: true });
}

function littleEndian(bytes: Uint8Array): bigint {
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i] as number);
  return value;
}
