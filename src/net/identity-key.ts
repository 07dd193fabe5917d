/**
 * The identity key of a node as libp2p knows it: ed25519 or secp256k1, whose public key is the peer id.
 * On disk and in the settings of the older system it is the hex of libp2p's protobuf encoding.
 */
import {
  generateKeyPair,
  generateKeyPairFromSeed,
  privateKeyFromProtobuf,
  privateKeyFromRaw,
  privateKeyToProtobuf,
} from '@libp2p/crypto/keys';
import type { PrivateKey } from '@libp2p/interface';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { codedError } from '../base/result.ts';

/** A raw secret of 32 bytes, or libp2p's protobuf of one. */
export type IdentitySecret =
  | { readonly kind: 'ed25519' | 'secp256k1'; readonly secret: Uint8Array }
  | { readonly kind: 'protobuf'; readonly bytes: Uint8Array };

export interface IdentityKey {
  readonly keyType: 'ed25519' | 'secp256k1';
  /** Canonical base58 text. */
  readonly peerId: string;
  /** The 32 secret bytes: an ed25519 seed, or a secp256k1 scalar. */
  readonly secret: Uint8Array;
  /** libp2p's protobuf encoding, as it is kept on disk. */
  readonly protobuf: Uint8Array;
  /** Only for `createHost`. */
  readonly libp2pKey: PrivateKey;
}

/** @throws CodedError `identity-key-invalid` */
export async function loadIdentityKey(secret: IdentitySecret): Promise<IdentityKey> {
  try {
    return identityKeyOf(await privateKeyOf(secret));
  } catch (error) {
    throw codedError(
      'identity-key-invalid',
      'the identity key is not an ed25519 or secp256k1 secret',
      {},
      { cause: error },
    );
  }
}

export async function generateIdentityKey(keyType: 'ed25519' | 'secp256k1' = 'ed25519'): Promise<IdentityKey> {
  return identityKeyOf(await (keyType === 'ed25519' ? generateKeyPair('Ed25519') : generateKeyPair('secp256k1')));
}

async function privateKeyOf(secret: IdentitySecret): Promise<PrivateKey> {
  switch (secret.kind) {
    case 'ed25519':
      return await generateKeyPairFromSeed('Ed25519', secret.secret);
    case 'secp256k1':
      return privateKeyFromRaw(secret.secret);
    case 'protobuf':
      return privateKeyFromProtobuf(secret.bytes);
  }
}

function identityKeyOf(key: PrivateKey): IdentityKey {
  if (key.type !== 'Ed25519' && key.type !== 'secp256k1') {
    throw codedError('identity-key-invalid', 'the identity key has another type', { type: key.type });
  }
  return {
    keyType: key.type === 'Ed25519' ? 'ed25519' : 'secp256k1',
    peerId: peerIdFromPrivateKey(key).toString(),
    // libp2p's raw form of an ed25519 key is the seed followed by the public key.
    secret: key.raw.subarray(0, 32),
    protobuf: privateKeyToProtobuf(key),
    libp2pKey: key,
  };
}
