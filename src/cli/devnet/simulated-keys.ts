/** The keys of a simulated population, derived from one secret, so that the same nodes come back at the next start. */
import { concatBytes, utf8 } from '../../base/bytes.ts';
import { sha256 } from '../../base/hash.ts';
import { identityKeyFromSecret, type IdentityKey } from '../../node/keys.ts';

const TAG = utf8('hotledger/devnet/node/1\n');

/**
 * @param seed 32 secret bytes
 * @param secp256k1Share of the nodes; the others have ed25519 keys
 */
export function simulatedKeys(seed: Uint8Array, nodes: number, secp256k1Share: number): IdentityKey[] {
  return Array.from({ length: nodes }, (_, index) => {
    const secret = sha256(concatBytes(TAG, seed, utf8(String(index))));
    // The second half of the digest decides the type, so that it stays the same while the share does.
    const draw = new DataView(secret.buffer, secret.byteOffset).getUint32(28) / 0x1_0000_0000;
    return identityKeyFromSecret(draw < secp256k1Share ? 'secp256k1' : 'ed25519', secret);
  });
}
