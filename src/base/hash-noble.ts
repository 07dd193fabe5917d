/** The same exports as `hash.ts` without `node:crypto`, for browsers. */
import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js';
import { assert } from './assert.ts';
import { concatBytes, toHex, utf8 } from './bytes.ts';
import { DigestTable, writeDigits } from './digest-table.ts';
import type { Hash } from './hash.ts';

export type { Hash } from './hash.ts';

export const ZERO_HASH = '0'.repeat(64) as Hash;

export function sha256(bytes: Uint8Array): Uint8Array {
  return nobleSha256(bytes);
}

export function sha256Into(message: Uint8Array | string, target: Uint8Array, offset: number): void {
  target.set(nobleSha256(typeof message === 'string' ? utf8(message) : message), offset);
}

export function taggedHash(tag: Uint8Array, bytes: Uint8Array): Hash {
  return sha256Hex(concatBytes(tag, bytes));
}

export function sha256Hex(bytes: Uint8Array): Hash {
  return toHex(nobleSha256(bytes)) as Hash;
}

const known = new DigestTable();

export function hashFromBytes(bytes: Uint8Array): Hash {
  assert(bytes.length === 32, 'a hash has 32 bytes', { length: bytes.length });
  return hashAt(bytes, 0);
}

export function hashAt(bytes: Uint8Array, offset: number): Hash {
  const text = known.textAt(bytes, offset);
  if (text !== undefined) return text as Hash;
  const spelled = toHex(bytes.subarray(offset, offset + 32)) as Hash;
  known.keep(spelled, bytes, offset);
  return spelled;
}

export function hashInto(digest: Hash, target: Uint8Array, offset: number): void {
  if (known.copyTo(digest, target, offset)) return;
  assert(writeDigits(digest, target, offset), 'a hash is 64 lowercase hex digits', { digest });
  known.keep(digest, target, offset);
}

export function hashToBytes(digest: Hash): Uint8Array {
  const bytes = new Uint8Array(32);
  hashInto(digest, bytes, 0);
  return bytes;
}
