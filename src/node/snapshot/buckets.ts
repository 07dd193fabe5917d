/**
 * Sorting more entries than fit into memory by their key hashes: first into buckets by one byte of the hash, each a file
 * once it has grown, then bucket by bucket. A bucket that is too large all the same, because somebody made keys for it,
 * goes through buckets of the next byte.
 *
 * It works synchronously, and so in a thread of its own.
 */
import { closeSync, fstatSync, mkdirSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { assert } from '../../base/assert.ts';

export interface HashedEntry {
  readonly keyHash: Uint8Array;
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

const BUCKETS = 256;
/** Of each bucket in memory, before it goes to its file: 16 MiB in all. */
const BUFFER_BYTES = 64 * 1024;
const FIRST_BUFFER_BYTES = 1024;
/** A larger one is divided once more. The second time it is as small as a chunk. */
const MAX_BUCKET_BYTES = 16 * 1024 * 1024;
const READ_BYTES = 1024 * 1024;

const HASH_BYTES = 32;
/** Key hash, length of the key, length of the value. */
const HEAD_BYTES = HASH_BYTES + 8;

interface Bucket {
  buffer: Uint8Array;
  used: number;
  file: number | null;
  fileBytes: number;
}

export class Buckets {
  readonly #directory: string;
  /** Which byte of the hash decides. */
  readonly #level: number;
  readonly #maxBucketBytes: number;
  readonly #buckets = new Map<number, Bucket>();

  /** @param directory is made, and removed by `close` */
  constructor(directory: string, level = 0, maxBucketBytes = MAX_BUCKET_BYTES) {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    this.#directory = directory;
    this.#level = level;
    this.#maxBucketBytes = maxBucketBytes;
  }

  add({ key, keyHash, value }: HashedEntry): void {
    assert(keyHash.length === HASH_BYTES, 'a key hash has 32 bytes');
    const index = keyHash[this.#level] as number;
    const bucket = this.#bucket(index);
    const bytes = HEAD_BYTES + key.length + value.length;
    if (bucket.used + bytes > BUFFER_BYTES) this.#flush(index, bucket);
    if (bytes > bucket.buffer.length - bucket.used) grow(bucket, bytes);
    const { buffer } = bucket;
    const view = new DataView(buffer.buffer, buffer.byteOffset + bucket.used);
    buffer.set(keyHash, bucket.used);
    view.setUint32(HASH_BYTES, key.length);
    view.setUint32(HASH_BYTES + 4, value.length);
    buffer.set(key, bucket.used + HEAD_BYTES);
    buffer.set(value, bucket.used + HEAD_BYTES + key.length);
    bucket.used += bytes;
  }

  /** All entries in the order of their key hashes. What was yielded is a view of memory that is not used again. */
  *sorted(): Generator<HashedEntry, void> {
    for (let index = 0; index < BUCKETS; index++) {
      const bucket = this.#buckets.get(index);
      if (bucket === undefined) continue;
      if (bucket.fileBytes + bucket.used > this.#maxBucketBytes && this.#level === 0)
        yield* this.#divided(index, bucket);
      else yield* inOrder(parsed(whole(bucket)));
      this.#forget(index, bucket);
    }
  }

  close(): void {
    for (const [index, bucket] of this.#buckets) this.#forget(index, bucket);
    rmSync(this.#directory, { recursive: true, force: true });
  }

  *#divided(index: number, bucket: Bucket): Generator<HashedEntry, void> {
    const finer = new Buckets(join(this.#directory, `divided-${index}`), this.#level + 1);
    try {
      for (const entry of streamed(bucket)) finer.add(entry);
      yield* finer.sorted();
    } finally {
      finer.close();
    }
  }

  #bucket(index: number): Bucket {
    const found = this.#buckets.get(index);
    if (found !== undefined) return found;
    const made: Bucket = { buffer: new Uint8Array(FIRST_BUFFER_BYTES), used: 0, file: null, fileBytes: 0 };
    this.#buckets.set(index, made);
    return made;
  }

  #flush(index: number, bucket: Bucket): void {
    bucket.file ??= openSync(join(this.#directory, `bucket-${index}`), 'wx+');
    writeAll(bucket.file, bucket.buffer.subarray(0, bucket.used), bucket.fileBytes);
    bucket.fileBytes += bucket.used;
    bucket.used = 0;
  }

  #forget(index: number, bucket: Bucket): void {
    this.#buckets.delete(index);
    if (bucket.file === null) return;
    closeSync(bucket.file);
    rmSync(join(this.#directory, `bucket-${index}`), { force: true });
  }
}

function grow(bucket: Bucket, bytes: number): void {
  const larger = new Uint8Array(Math.max(bucket.used + bytes, Math.min(2 * bucket.buffer.length, BUFFER_BYTES)));
  larger.set(bucket.buffer.subarray(0, bucket.used));
  bucket.buffer = larger;
}

function whole({ buffer, file, fileBytes, used }: Bucket): Uint8Array {
  const bytes = new Uint8Array(fileBytes + used);
  if (file !== null) readAll(file, bytes.subarray(0, fileBytes), 0);
  bytes.set(buffer.subarray(0, used), fileBytes);
  return bytes;
}

function* parsed(bytes: Uint8Array): Generator<HashedEntry, void> {
  for (let at = 0; at < bytes.length;) {
    const entry = entryAt(bytes, at);
    yield entry;
    at += HEAD_BYTES + entry.key.length + entry.value.length;
  }
}

/** In pieces, without all of it in memory. */
function* streamed(bucket: Bucket): Generator<HashedEntry, void> {
  const { buffer, file, fileBytes, used } = bucket;
  let piece = new Uint8Array(READ_BYTES);
  for (let at = 0; file !== null && at < fileBytes;) {
    const length = Math.min(piece.length, fileBytes - at);
    readAll(file, piece.subarray(0, length), at);
    let taken = 0;
    while (length - taken >= HEAD_BYTES && lengthAt(piece, taken) <= length - taken) {
      yield entryAt(piece, taken);
      taken += lengthAt(piece, taken);
    }
    // One entry that is larger than the piece.
    if (taken === 0) piece = new Uint8Array(lengthAt(piece, 0));
    at += taken;
  }
  yield* parsed(buffer.subarray(0, used));
}

function lengthAt(bytes: Uint8Array, at: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at + HASH_BYTES, 8);
  return HEAD_BYTES + view.getUint32(0) + view.getUint32(4);
}

function entryAt(bytes: Uint8Array, at: number): HashedEntry {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at + HASH_BYTES, 8);
  const key = at + HEAD_BYTES;
  const value = key + view.getUint32(0);
  return {
    keyHash: bytes.subarray(at, at + HASH_BYTES),
    key: bytes.subarray(key, value),
    value: bytes.subarray(value, value + view.getUint32(4)),
  };
}

function inOrder(entries: Iterable<HashedEntry>): readonly HashedEntry[] {
  const all = Array.from(entries, (entry) => ({ entry, prefix: prefixOf(entry.keyHash) }));
  all.sort((a, b) => a.prefix - b.prefix || Buffer.compare(a.entry.keyHash, b.entry.keyHash));
  return all.map(({ entry }) => entry);
}

/** The first 48 bits: decides nearly every comparison. */
function prefixOf(keyHash: Uint8Array): number {
  let prefix = 0;
  for (let i = 0; i < 6; i++) prefix = prefix * 256 + (keyHash[i] as number);
  return prefix;
}

function writeAll(file: number, bytes: Uint8Array, position: number): void {
  for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at, bytes.length - at, position + at);
}

function readAll(file: number, target: Uint8Array, position: number): void {
  for (let at = 0; at < target.length;) {
    const read = readSync(file, target, at, target.length - at, position + at);
    assert(read > 0, 'a bucket is as long as what was written to it', { size: fstatSync(file).size });
    at += read;
  }
}
