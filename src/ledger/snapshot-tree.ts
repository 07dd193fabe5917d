/**
 * The upper part of the state tree, from the root to the level of a snapshot's chunks: made from the roots of the
 * chunks' own subtrees, it says what the state root is, and what stands beside the path to each chunk.
 */
import { assert } from '../base/assert.ts';
import { concatBytes } from '../base/bytes.ts';
import { hashFromBytes, type Hash } from '../base/hash.ts';
import { chunkIndexOf } from './snapshot-chunk.ts';
import { SubtreeHasher } from './snapshot-subtree.ts';
import type { OtherLeaf, TreeProof } from './state-proof.ts';

export interface Subtree {
  /** 32 bytes; zeros of an empty one. */
  readonly hash: Uint8Array;
  /** Of a subtree that is one leaf: that leaf. */
  readonly leaf: OtherLeaf | null;
}

const HASH_BYTES = 32;

export class SnapshotTree {
  readonly depth: number;
  /** From the root down; the last are the chunks' own. */
  readonly #levels: readonly (readonly Subtree[])[];

  /** @param chunks 2^depth subtrees in the order of their indexes */
  constructor(depth: number, chunks: readonly Subtree[]) {
    assert(chunks.length === 2 ** depth, 'there is a subtree a chunk', { depth, chunks: chunks.length });
    this.depth = depth;
    const levels = [chunks];
    const hasher = new SubtreeHasher();
    for (let level = depth - 1; level >= 0; level--) {
      const below = levels[0] as readonly Subtree[];
      const above = Array.from({ length: 2 ** level }, (_, i) =>
        joined(hasher, below[2 * i] as Subtree, below[2 * i + 1] as Subtree),
      );
      levels.unshift(above);
    }
    this.#levels = levels;
  }

  /** The state root. */
  get root(): Hash {
    return hashFromBytes(this.#node(0, 0).hash);
  }

  /** What stands beside the path to a chunk, and the leaf of another chunk in which the path ends, if it does. */
  proofOf(index: number): TreeProof {
    const siblings: Uint8Array[] = [];
    for (let level = 0; level < this.depth; level++) {
      const node = this.#node(level, index >> (this.depth - level));
      if (isEmpty(node)) break;
      if (node.leaf !== null) {
        const isOwn = chunkIndexOf(node.leaf.keyHash, this.depth) === index;
        return { siblings: concatBytes(...siblings), other: isOwn ? null : node.leaf };
      }
      const next = index >> (this.depth - level - 1);
      siblings.push(this.#node(level + 1, next ^ 1).hash);
    }
    return { siblings: concatBytes(...siblings), other: null };
  }

  #node(level: number, place: number): Subtree {
    const node = this.#levels[level]?.[place];
    assert(node !== undefined, 'the node is in the tree', { level, place });
    return node;
  }
}

/** A subtree with one leaf is that leaf. */
function joined(hasher: SubtreeHasher, left: Subtree, right: Subtree): Subtree {
  if (isEmpty(left) && (isEmpty(right) || right.leaf !== null)) return right;
  if (isEmpty(right) && left.leaf !== null) return left;
  const hash = new Uint8Array(HASH_BYTES);
  hasher.joinInto(left.hash, right.hash, hash);
  return { hash, leaf: null };
}

/** No hash of a node is all zeros. */
function isEmpty({ hash }: Subtree): boolean {
  return hash.every((byte) => byte === 0);
}
