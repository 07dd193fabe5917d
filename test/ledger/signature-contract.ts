/** What every backend of the signature predicate passes. */
import { generateKeyPair } from '@libp2p/crypto/keys';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../src/base/bytes.ts';
import { unwrap } from '../../src/base/result.ts';
import { parsePeerId, type Identity } from '../../src/ledger/identity.ts';
import { SIGNATURE_VECTORS } from './signature-vectors.ts';

type Verify = (identity: Identity, message: Uint8Array, signature: Uint8Array) => boolean | Promise<boolean>;

export function signatureContract(name: string, verify: Verify): void {
  describe(`the signature predicate, ${name}`, () => {
    it.each(SIGNATURE_VECTORS)('$name: $valid', async ({ identity, message, signature, valid }) => {
      expect(await verify(identity, message, signature)).toBe(valid);
    });

    it.each(['Ed25519', 'secp256k1'] as const)('accepts what libp2p signs with its %s keys', async (type) => {
      for (let i = 0; i < 5; i++) {
        const key = await generateKeyPair(type);
        const identity = unwrap(parsePeerId(peerIdFromPrivateKey(key).toString()));
        const message = utf8(`hotledger/event/1\nchain\n{"i":${i}}`);
        const signature = await key.sign(message);
        expect(await verify(identity, message, signature)).toBe(true);
        expect(await verify(identity, utf8('another'), signature)).toBe(false);
      }
    });
  });
}
