/**
 * The signature predicate (`ledger/signature.ts`) on native libraries: synchronous, with libsodium for ed25519 where it
 * loads and `node:crypto` for the rest, and by `node:crypto` on libuv's thread pool while the loop goes on.
 *
 * By `node:crypto` an ed25519 check costs 80 to 180 us, one of secp256k1 about 570; importing a key costs another 9
 * (ed25519) to 150 us, so imported keys are kept.
 */
import { createPublicKey, verify, type KeyObject } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { KeyType } from '../ledger/identity.ts';
import { checkSignatureForm, type SigningKey } from '../ledger/signature.ts';
import { loadEd25519 } from './ed25519.ts';

/** A KeyObject takes about 1 KiB outside the heap. */
export const MAX_CACHED_KEYS = 16_384;

/** SubjectPublicKeyInfo up to the key itself (RFC 8410 for ed25519; RFC 5480 with the curve 1.3.132.0.10). */
const SPKI_HEADS: { readonly [K in KeyType]: Uint8Array } = {
  ed25519: Buffer.from('302a300506032b6570032100', 'hex'),
  secp256k1: Buffer.from('3036301006072a8648ce3d020106052b8104000a032200', 'hex'),
};

const DIGESTS: { readonly [K in KeyType]: string | null } = { ed25519: null, secp256k1: 'sha256' };

const keys = new LRUCache<string, KeyObject>({ max: MAX_CACHED_KEYS });

/** @returns undefined when the bytes are not a point of the curve */
function keyOf({ keyType, publicKey }: SigningKey): KeyObject | undefined {
  // Keys of the two types differ in length.
  const name = Buffer.from(publicKey.buffer, publicKey.byteOffset, publicKey.length).toString('latin1');
  const cached = keys.get(name);
  if (cached !== undefined) return cached;
  try {
    const spki = Buffer.concat([SPKI_HEADS[keyType], publicKey]).toString('base64');
    // As PEM it takes a third of the time that it takes as DER, which Node tries as every other kind of key first.
    const key = createPublicKey(`-----BEGIN PUBLIC KEY-----\n${spki}\n-----END PUBLIC KEY-----\n`);
    keys.set(name, key);
    return key;
  } catch {
    return undefined;
  }
}

/** On the thread pool. Never rejects. */
export function verifyNative(identity: SigningKey, message: Uint8Array, signature: Uint8Array): Promise<boolean> {
  const key = checkSignatureForm(identity, signature).ok ? keyOf(identity) : undefined;
  if (key === undefined) return Promise.resolve(false);
  return new Promise((resolve) => {
    verify(DIGESTS[identity.keyType], message, key, signature, (error, valid) => {
      resolve(error === null && valid);
    });
  });
}

const { equation: ed25519, warning } = await loadEd25519();

/** For the log of a process that checks signatures; null where there is nothing to say. */
export const signatureWarning = warning;

/** On this thread. Never throws. */
export function verifyHere(identity: SigningKey, message: Uint8Array, signature: Uint8Array): boolean {
  if (identity.keyType !== 'ed25519' || ed25519 === null) return verifyByNode(identity, message, signature);
  return checkSignatureForm(identity, signature).ok && ed25519(identity.publicKey, message, signature);
}

/** On this thread, by `node:crypto` alone. Never throws. */
export function verifyByNode(identity: SigningKey, message: Uint8Array, signature: Uint8Array): boolean {
  const key = checkSignatureForm(identity, signature).ok ? keyOf(identity) : undefined;
  try {
    return key !== undefined && verify(DIGESTS[identity.keyType], message, key, signature);
  } catch {
    return false;
  }
}
