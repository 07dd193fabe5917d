/**
 * Proofs that a key has a value in the state, or that it has none, against the state root alone.
 *
 * The state tree is a compact binary sparse Merkle tree over SHA-256(key), read from the most significant bit: a
 * subtree without leaves is 32 zero bytes, a subtree with one leaf is that leaf, any other is an inner node.
 *
 *     leaf  = SHA-256(0x00 | SHA-256(key) | SHA-256(value))
 *     inner = SHA-256(0x01 | left | right)
 *
 * (The tree of Diem's "Jellyfish Merkle Tree", Gao, Hu, Wu, 2021, with a radix of 2.) A leaf names its whole key, so a
 * proof of absence ends either in an empty subtree or in the leaf of another key that lies on the path. For a root that
 * a correct program computed there is one proof a key, and it has one encoding.
 *
 * This file shares no code with the tree that makes the proofs.
 */
import { concatBytes, equalBytes, utf8 } from '../base/bytes.ts';
import { bytes, fixedBytes, nullable, struct, type Shape } from '../base/codec.ts';
import { hashFromBytes, sha256, type Hash } from '../base/hash.ts';
import { ok, refuse, type Result } from '../base/result.ts';

/** A path cannot be longer than its key's hash has bits. */
export const MAX_PROOF_DEPTH = 256;
const HASH_BYTES = 32;

export interface OtherLeaf {
  readonly keyHash: Uint8Array;
  readonly valueHash: Uint8Array;
}

export interface TreeProof {
  /** The hashes beside the path, from the root's children down, 32 bytes each. */
  readonly siblings: Uint8Array;
  /** In a proof of absence: the one leaf where the path ends; null where it ends in an empty subtree, and in a proof of presence. */
  readonly other: OtherLeaf | null;
}

export const treeProofShape: Shape<TreeProof> = struct<TreeProof>({
  siblings: bytes(MAX_PROOF_DEPTH * HASH_BYTES),
  other: nullable(struct<OtherLeaf>({ keyHash: fixedBytes(HASH_BYTES), valueHash: fixedBytes(HASH_BYTES) })),
});

const EMPTY = new Uint8Array(HASH_BYTES);
const LEAF = Uint8Array.of(0);
const INNER = Uint8Array.of(1);

/** Where a key lives in the tree. */
export function keyHashOf(key: string): Uint8Array {
  return sha256(utf8(key));
}

/**
 * Checks that `key` has exactly `value` under `root`, or, when `value` is undefined, that it has none.
 *
 * Refusals: `proof-malformed` (not a proof of this kind for this key), `proof-mismatch` (it leads to another root).
 */
export function verifyTreeProof(
  root: Hash,
  key: string,
  value: Uint8Array | undefined,
  proof: TreeProof,
): Result<void> {
  return value === undefined ? verifyAbsence(root, key, proof) : verifyPresence(root, key, value, proof);
}

export function verifyPresence(root: Hash, key: string, value: Uint8Array, proof: TreeProof): Result<void> {
  if (proof.other !== null) {
    return refuse('proof-malformed', 'a proof of presence ends in the leaf of its key');
  }
  const keyHash = keyHashOf(key);
  return climb(root, keyHash, leafHash(keyHash, sha256(value)), proof.siblings);
}

export function verifyAbsence(root: Hash, key: string, proof: TreeProof): Result<void> {
  const keyHash = keyHashOf(key);
  const { other } = proof;
  if (other === null) return climb(root, keyHash, EMPTY, proof.siblings);
  const depth = proof.siblings.length / HASH_BYTES;
  if (equalBytes(other.keyHash, keyHash) || !sharePrefix(other.keyHash, keyHash, depth)) {
    return refuse('proof-malformed', 'the leaf is not that of another key on the path', { depth });
  }
  return climb(root, keyHash, leafHash(other.keyHash, other.valueHash), proof.siblings);
}

/** Hashes from the end of the path up to the root. */
function climb(root: Hash, keyHash: Uint8Array, end: Uint8Array, siblings: Uint8Array): Result<void> {
  const depth = siblings.length / HASH_BYTES;
  if (!Number.isInteger(depth) || depth > MAX_PROOF_DEPTH) {
    return refuse('proof-malformed', 'the siblings are not whole hashes, at most one a bit of the key', {
      bytes: siblings.length,
    });
  }
  let node = end;
  for (let level = depth - 1; level >= 0; level--) {
    const sibling = siblings.subarray(level * HASH_BYTES, (level + 1) * HASH_BYTES);
    node = bitAt(keyHash, level) === 0 ? innerHash(node, sibling) : innerHash(sibling, node);
  }
  const computed = hashFromBytes(node);
  return computed === root
    ? ok(undefined)
    : refuse('proof-mismatch', 'the proof does not lead to the state root', { root, computed });
}

function leafHash(keyHash: Uint8Array, valueHash: Uint8Array): Uint8Array {
  return sha256(concatBytes(LEAF, keyHash, valueHash));
}

function innerHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return sha256(concatBytes(INNER, left, right));
}

function bitAt(keyHash: Uint8Array, level: number): number {
  return ((keyHash[level >> 3] as number) >> (7 - (level & 7))) & 1;
}

function sharePrefix(a: Uint8Array, b: Uint8Array, bits: number): boolean {
  for (let level = 0; level < bits; level++) if (bitAt(a, level) !== bitAt(b, level)) return false;
  return true;
}
