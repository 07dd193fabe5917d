/** Peer ids: text to public key and back, and the Ethereum address of a secp256k1 one. */
import { refuse, type Result } from '../base/result.ts';

export type KeyType = 'ed25519' | 'secp256k1';

export interface Identity {
  /** Canonical base58 text. */
  readonly peerId: string;
  readonly keyType: KeyType;
  /** ed25519: 32 bytes; secp256k1: 33, compressed. */
  readonly publicKey: Uint8Array;
}

export const MAX_PEER_ID_LENGTH = 64;

export function parsePeerId(_text: string): Result<Identity> {
  return refuse('unfinished', 'unfinished');
}

export function peerIdFromPublicKey(_keyType: KeyType, _publicKey: Uint8Array): string {
  return '';
}

/** EIP-55 text, or '' for a key that has none. */
export function ethAddressOf(_identity: Identity): string {
  return '';
}
