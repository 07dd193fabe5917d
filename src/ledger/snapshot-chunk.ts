/**
 * A chunk of a snapshot: every entry of the state whose key hash begins with the chunk's bits, and nothing else.
 *
 * The state tree is read by the bits of SHA-256(key) (`state-proof.ts`), so all keys that begin with the same `depth`
 * bits lie in one subtree. A snapshot of depth d is the 2^d subtrees of that level; chunk i is the one under the d bits
 * of i. It carries the hashes beside its path, so that it is judged alone, against the state root: the root of its
 * subtree is computed from its entries and folded with the siblings. An entry that is altered, missing, added or moved
 * gives another root.
 *
 * A path may end before the level d, since a subtree of one leaf is that leaf. With k siblings, k < d, the path ends
 *
 *     in an empty subtree         no entry, no other leaf
 *     in a leaf of this chunk     that one entry
 *     in a leaf of another chunk  no entry, and that leaf, as in a proof of absence
 *
 * With k = d it ends in the chunk's own subtree, of any number of entries, none included. For a root that a correct
 * program computed there is one such chunk, and it has one encoding. A chunk is the pair of its content and its proof,
 * one behind the other, so that a maker can write the proof once it knows the other chunks.
 */
import { concatBytes } from '../base/bytes.ts';
import { bytes, codec, fixedBytes, list, nullable, struct, uint, type Codec } from '../base/codec.ts';
import { hashFromBytes, type Hash } from '../base/hash.ts';
import { ok, refuse, type Refused, type Result } from '../base/result.ts';
import { SubtreeHasher } from './snapshot-subtree.ts';
import type { OtherLeaf, TreeProof } from './state-proof.ts';

/** 65,536 chunks: states up to 64 GiB. */
export const MAX_SNAPSHOT_DEPTH = 16;
/** What a chunk holds on average at most. */
export const CHUNK_TARGET_BYTES = 1024 * 1024;
/** Of the encoded chunk. Keys spread evenly; who computes thousands of keys with one beginning makes a chunk larger. */
export const MAX_CHUNK_BYTES = 8 * 1024 * 1024;
/** UTF-8 of a key of the state. */
export const MAX_SNAPSHOT_KEY_BYTES = 1024;
/** One value of the state: far above what any kind of entry may be. */
export const MAX_SNAPSHOT_VALUE_BYTES = 1024 * 1024;

const HASH_BYTES = 32;
/** Head of a pair, of a list of entries, and the proof. */
const CHUNK_OVERHEAD_BYTES = 32 + (MAX_SNAPSHOT_DEPTH + 2) * HASH_BYTES;
/** What an entry costs beyond its key and value: the heads of a pair and of two byte strings. */
const ENTRY_OVERHEAD_BYTES = 9;
/** An entry has a key at least. */
const MAX_CHUNK_ENTRIES = MAX_CHUNK_BYTES / 4;

export interface ChunkEntry {
  /** UTF-8 of the state key. */
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

export interface ChunkContent {
  /** The first bits of all key hashes in it, as a number. */
  readonly index: number;
  /** In the order of their key hashes. */
  readonly entries: readonly ChunkEntry[];
}

export interface SnapshotChunk {
  readonly content: ChunkContent;
  readonly proof: TreeProof;
}

/** Where a chunk belongs: as the caller asked for it, whatever the chunk says of itself. */
export interface ChunkPlace {
  readonly stateRoot: Hash;
  /** Of the snapshot, at most `MAX_SNAPSHOT_DEPTH`. */
  readonly depth: number;
  readonly index: number;
}

const contentShape = struct<ChunkContent>({
  index: uint(2 ** MAX_SNAPSHOT_DEPTH - 1),
  entries: list(
    struct<ChunkEntry>({ key: bytes(MAX_SNAPSHOT_KEY_BYTES), value: bytes(MAX_SNAPSHOT_VALUE_BYTES) }),
    MAX_CHUNK_ENTRIES,
  ),
});

const proofShape = struct<TreeProof>({
  siblings: bytes(MAX_SNAPSHOT_DEPTH * HASH_BYTES),
  other: nullable(struct<OtherLeaf>({ keyHash: fixedBytes(HASH_BYTES), valueHash: fixedBytes(HASH_BYTES) })),
});

export const snapshotChunkCodec: Codec<SnapshotChunk> = codec(
  struct<SnapshotChunk>({ content: contentShape, proof: proofShape }),
  MAX_CHUNK_BYTES,
);
const contentCodec = codec(contentShape, MAX_CHUNK_BYTES);
const proofCodec = codec(proofShape, CHUNK_OVERHEAD_BYTES);

/** The head of a pair in MessagePack, as `struct` writes it. */
const PAIR = Uint8Array.of(0x92);

/** The encoding of a chunk up to its proof: `encodeChunkProof` goes behind it. */
export function encodeChunkContent(content: ChunkContent): Uint8Array {
  return concatBytes(PAIR, contentCodec.encode(content));
}

export function encodeChunkProof(proof: TreeProof): Uint8Array {
  return proofCodec.encode(proof);
}

/** An entry in a chunk takes no more than this. */
export function entryBytes(keyBytes: number, valueBytes: number): number {
  return ENTRY_OVERHEAD_BYTES + keyBytes + valueBytes;
}

/** The first `MAX_SNAPSHOT_DEPTH` bits of a key hash. */
export function finestIndexOf(keyHash: Uint8Array, offset = 0): number {
  return ((keyHash[offset] as number) << 8) | (keyHash[offset + 1] as number);
}

/** The chunk of a key hash in a snapshot of this depth. */
export function chunkIndexOf(keyHash: Uint8Array, depth: number, offset = 0): number {
  return finestIndexOf(keyHash, offset) >> (MAX_SNAPSHOT_DEPTH - depth);
}

/**
 * The depth of a snapshot, a function of its state alone: the least at which chunks hold `CHUNK_TARGET_BYTES` on average
 * and none is larger than a chunk may be.
 *
 * Refusal: `snapshot-state-uneven` when there is none.
 *
 * @param bytesOf the `entryBytes` of all entries, by the finest index
 */
export function depthFor(bytesOf: Float64Array): Result<number> {
  const total = bytesOf.reduce((sum, each) => sum + each, 0);
  for (let depth = 0; depth <= MAX_SNAPSHOT_DEPTH; depth++) {
    if (total > CHUNK_TARGET_BYTES * 2 ** depth) continue;
    if (largestChunk(bytesOf, depth) <= MAX_CHUNK_BYTES - CHUNK_OVERHEAD_BYTES) return ok(depth);
  }
  return refuse('snapshot-state-uneven', 'the state does not divide into chunks of a bounded size', {
    bytes: total,
    largestChunkBytes: largestChunk(bytesOf, MAX_SNAPSHOT_DEPTH),
    maxChunkBytes: MAX_CHUNK_BYTES,
    maxChunks: 2 ** MAX_SNAPSHOT_DEPTH,
  });
}

function largestChunk(bytesOf: Float64Array, depth: number): number {
  const width = 2 ** (MAX_SNAPSHOT_DEPTH - depth);
  let largest = 0;
  for (let from = 0; from < bytesOf.length; from += width) {
    let chunk = 0;
    for (let i = from; i < from + width; i++) chunk += bytesOf[i] as number;
    largest = Math.max(largest, chunk);
  }
  return largest;
}

const hasher = new SubtreeHasher();

/**
 * Whether the chunk is exactly what the state of this root holds at this place. About 3 us an entry.
 *
 * Refusals: `chunk-misplaced` (of another place than was asked for, or with an entry that does not belong there),
 * `chunk-malformed` (its path ends in a way that no chunk's does, or its keys do not rise), `chunk-mismatch` (it leads to
 * another root: something in it is not what the state holds).
 */
export function verifyChunk({ content, proof }: SnapshotChunk, place: ChunkPlace): Result<void> {
  const { depth, index, stateRoot } = place;
  if (content.index !== index || index >= 2 ** depth) {
    return misplaced('the chunk is not the one that was asked for', { chunk: content.index, expected: index });
  }
  const end = endOfPath(content, proof, depth);
  if (!end.ok) return end;
  const node = end.value;
  const levels = proof.siblings.length / HASH_BYTES;
  for (let level = levels - 1; level >= 0; level--) {
    const sibling = proof.siblings.subarray(level * HASH_BYTES, (level + 1) * HASH_BYTES);
    const goesRight = (index >> (depth - 1 - level)) & 1;
    if (goesRight) hasher.joinInto(sibling, node, node);
    else hasher.joinInto(node, sibling, node);
  }
  const computed = hashFromBytes(node);
  if (computed === stateRoot) return ok(undefined);
  return refuse('chunk-mismatch', 'the chunk does not lead to the state root: it holds something else', {
    chunk: index,
    root: stateRoot,
    computed,
  });
}

/** The hash where the path ends. */
function endOfPath(
  { entries, index }: ChunkContent,
  { other, siblings }: TreeProof,
  depth: number,
): Result<Uint8Array> {
  const levels = siblings.length / HASH_BYTES;
  if (!Number.isInteger(levels) || levels > depth) return malformed('its siblings are not those of its depth', index);
  if (other !== null) {
    if (levels === depth || entries.length > 0) return malformed('it has entries beside the leaf of another', index);
    if (!endsInOther(other, index, depth, levels)) return malformed('the other leaf is not on its path', index);
    return ok(hasher.leaf(other.keyHash, other.valueHash));
  }
  if (levels < depth && entries.length > 1) return malformed('a path with several entries ends at its depth', index);
  hasher.begin(entries.length);
  for (const { key, value } of entries) {
    const keyHash = hasher.add(key, value);
    if (chunkIndexOf(keyHash, depth) !== index) {
      return misplaced('an entry of the chunk belongs to another', {
        chunk: index,
        expected: chunkIndexOf(keyHash, depth),
      });
    }
    if (!hasher.rises) return malformed('its entries are not in the order of their key hashes, each once', index);
  }
  return ok(hasher.root(levels));
}

/** The leaf lies where the path ends, and is not of this chunk: else its entry would be withheld. */
function endsInOther(other: OtherLeaf, index: number, depth: number, levels: number): boolean {
  const own = chunkIndexOf(other.keyHash, depth);
  return own !== index && own >> (depth - levels) === index >> (depth - levels);
}

function malformed(reason: string, chunk: number): Refused {
  return refuse('chunk-malformed', 'the chunk has a form that no chunk has', { chunk, reason });
}

function misplaced(message: string, details: { readonly chunk: number; readonly expected: number }): Refused {
  return refuse('chunk-misplaced', message, details);
}
