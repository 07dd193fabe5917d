/** The same exports as `hash.ts` without `node:crypto`, for browsers. */
import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js';
import { assert } from './assert.ts';
import { fromHex, toHex } from './bytes.ts';
import type { Hash } from './hash.ts';

export type { Hash } from './hash.ts';

export const ZERO_HASH = '0'.repeat(64) as Hash;

export function sha256(bytes: Uint8Array): Uint8Array {
  return nobleSha256(bytes);
}

export function sha256Into(message: Uint8Array, target: Uint8Array, offset: number): void {
  target.set(nobleSha256(message), offset);
}

export function sha256Hex(bytes: Uint8Array): Hash {
  return toHex(nobleSha256(bytes)) as Hash;
}

export function hashFromBytes(bytes: Uint8Array): Hash {
  assert(bytes.length === 32, 'a hash has 32 bytes', { length: bytes.length });
  return toHex(bytes) as Hash;
}

export function hashToBytes(digest: Hash): Uint8Array {
  const bytes = fromHex(digest);
  assert(bytes !== undefined && bytes.length === 32, 'a hash is 64 lowercase hex digits', { digest });
  return bytes;
}
