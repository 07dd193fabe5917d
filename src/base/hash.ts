/**
 * SHA-256, on Node's native implementation because hashing is hot (2 us at 300 bytes against 3 to 10 us in JavaScript).
 * The one file below `node/` that imports a `node:` module; the package's `browser` field puts `hash-noble.ts`, which
 * has the same exports, in its place.
 */
import { hash } from 'node:crypto';
import { assert, AssertionError } from './assert.ts';
import { concatBytes } from './bytes.ts';
import { DigestTable, writeDigits } from './digest-table.ts';

declare const hashBrand: unique symbol;

/** A SHA-256 digest as 64 lowercase hex digits: comparable with `===`, usable as a Map key. 32 bytes on the wire. */
export type Hash = string & { readonly [hashBrand]: true };

export const ZERO_HASH = '0'.repeat(64) as Hash;

const known = new DigestTable();

/** @returns 32 bytes */
export function sha256(bytes: Uint8Array): Uint8Array {
  const digest = new Uint8Array(32);
  sha256Into(bytes, digest, 0);
  return digest;
}

/**
 * Writes the digest of `message` into `target`; of a text that of its UTF-8, which is nowhere made: two thirds of the time.
 * (Through a latin-1 string: 0.5 us against 1.4 us for a Buffer of its own.)
 */
export function sha256Into(message: Uint8Array | string, target: Uint8Array, offset: number): void {
  const digest = hash('sha256', message, 'binary');
  for (let i = 0; i < 32; i++) target[offset + i] = digest.charCodeAt(i);
}

export function sha256Hex(bytes: Uint8Array): Hash {
  return hash('sha256', bytes, 'hex') as Hash;
}

/** Where short messages are put together to be hashed: an array of their size costs more to make than to hash. */
const message = new Uint8Array(2048);

/** The digest of `tag` and `bytes`, one behind the other. */
export function taggedHash(tag: Uint8Array, bytes: Uint8Array): Hash {
  const length = tag.length + bytes.length;
  if (length > message.length) return sha256Hex(concatBytes(tag, bytes));
  message.set(tag);
  message.set(bytes, tag.length);
  return sha256Hex(message.subarray(0, length));
}

/** Where digests pass through on their way to text: a Buffer of its own would cost each of them more than its text. */
const scratch = Buffer.alloc(32);

export function hashFromBytes(bytes: Uint8Array): Hash {
  assert(bytes.length === 32, 'a hash has 32 bytes');
  return hashAt(bytes, 0);
}

/** Of the 32 bytes at `offset`. */
export function hashAt(bytes: Uint8Array, offset: number): Hash {
  const text = known.textAt(bytes, offset);
  if (text !== undefined) return text as Hash;
  scratch.set(bytes.subarray(offset, offset + 32));
  const spelled = scratch.toString('hex') as Hash;
  known.keep(spelled, bytes, offset);
  return spelled;
}

/** Writes the 32 bytes at `offset`. */
export function hashInto(digest: Hash, target: Uint8Array, offset: number): void {
  if (known.copyTo(digest, target, offset)) return;
  if (!writeDigits(digest, target, offset)) {
    throw new AssertionError('a hash is 64 lowercase hex digits', { digest });
  }
  known.keep(digest, target, offset);
}

export function hashToBytes(digest: Hash): Uint8Array {
  const bytes = new Uint8Array(32);
  hashInto(digest, bytes, 0);
  return bytes;
}
