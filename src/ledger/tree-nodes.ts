/**
 * The nodes of the state tree, packed into typed arrays: 40 bytes an inner node, 104 bytes a leaf, no objects for the
 * garbage collector to visit. A node is an index; index 0 is the empty subtree. Freed nodes are chained through their
 * own fields and used again.
 */
import { assert } from '../base/assert.ts';
import { sha256Into } from '../base/hash.ts';

/** Index into the arrays below. */
export type NodeIndex = number;
export const EMPTY: NodeIndex = 0;

const HASH_BYTES = 32;
const LEAF_BYTES = 64;
const LEAF_WORDS = LEAF_BYTES / 4;
const FIRST_CAPACITY = 1024;
const END_OF_CHAIN = -1;
/** In `#right` of a leaf; an inner node's right child is never negative. */
const IS_LEAF = -1;

export class TreeNodes {
  #hashes = new Uint8Array(FIRST_CAPACITY * HASH_BYTES);
  /** Inner node: its left child. Leaf: its slot. Free node: the next free one. */
  #left = new Int32Array(FIRST_CAPACITY);
  /** Inner node: its right child. */
  #right = new Int32Array(FIRST_CAPACITY);
  /** Key hash and value hash of each leaf slot; a free slot's first word is the next free one. */
  #leafBytes = new Uint8Array(FIRST_CAPACITY * LEAF_BYTES);
  #leafWords = new Int32Array(this.#leafBytes.buffer);
  #used = 1;
  #freeNode = END_OF_CHAIN;
  #usedLeaves = 0;
  #freeLeaf = END_OF_CHAIN;
  #live = 0;

  /** What is hashed: a tag and two hashes. */
  readonly #message = new Uint8Array(1 + 2 * HASH_BYTES);

  /** Nodes in use, the empty subtree not counted. */
  get live(): number {
    return this.#live;
  }

  isLeaf(node: NodeIndex): boolean {
    return this.#right[node] === IS_LEAF;
  }

  left(node: NodeIndex): NodeIndex {
    return this.#left[node] as number;
  }

  right(node: NodeIndex): NodeIndex {
    return this.#right[node] as number;
  }

  /** A copy. */
  hashOf(node: NodeIndex): Uint8Array {
    return this.#hashes.slice(node * HASH_BYTES, (node + 1) * HASH_BYTES);
  }

  writeHash(node: NodeIndex, target: Uint8Array, offset: number): void {
    const start = node * HASH_BYTES;
    for (let i = 0; i < HASH_BYTES; i++) target[offset + i] = this.#hashes[start + i] as number;
  }

  keyHashOf(leaf: NodeIndex): Uint8Array {
    const start = this.left(leaf) * LEAF_BYTES;
    return this.#leafBytes.slice(start, start + HASH_BYTES);
  }

  valueHashOf(leaf: NodeIndex): Uint8Array {
    const start = this.left(leaf) * LEAF_BYTES + HASH_BYTES;
    return this.#leafBytes.slice(start, start + HASH_BYTES);
  }

  /** Bit of a leaf's key hash, the most significant first. */
  keyBit(leaf: NodeIndex, level: number): number {
    const byte = this.#leafBytes[this.left(leaf) * LEAF_BYTES + (level >> 3)] as number;
    return (byte >> (7 - (level & 7))) & 1;
  }

  /** Whether the leaf's key hash is the 32 bytes at `offset`. */
  hasKeyHash(leaf: NodeIndex, hashes: Uint8Array, offset: number): boolean {
    return sameBytes(this.#leafBytes, this.left(leaf) * LEAF_BYTES, hashes, offset, HASH_BYTES);
  }

  /** Whether the leaf's key hash and value hash are the 64 bytes at `offset`. */
  isSameLeaf(leaf: NodeIndex, hashes: Uint8Array, offset: number): boolean {
    return sameBytes(this.#leafBytes, this.left(leaf) * LEAF_BYTES, hashes, offset, LEAF_BYTES);
  }

  /** @param hashes holds the key hash and the value hash, 64 bytes at `offset` */
  makeLeaf(hashes: Uint8Array, offset: number): NodeIndex {
    const node = this.#takeNode();
    const slot = this.#takeLeafSlot();
    this.#left[node] = slot;
    this.#right[node] = IS_LEAF;
    const start = slot * LEAF_BYTES;
    this.#message[0] = 0;
    for (let i = 0; i < LEAF_BYTES; i++) {
      const byte = hashes[offset + i] as number;
      this.#leafBytes[start + i] = byte;
      this.#message[1 + i] = byte;
    }
    sha256Into(this.#message, this.#hashes, node * HASH_BYTES);
    return node;
  }

  makeInner(left: NodeIndex, right: NodeIndex): NodeIndex {
    const node = this.#takeNode();
    this.#left[node] = left;
    this.#right[node] = right;
    this.#message[0] = 1;
    this.writeHash(left, this.#message, 1);
    this.writeHash(right, this.#message, 1 + HASH_BYTES);
    sha256Into(this.#message, this.#hashes, node * HASH_BYTES);
    return node;
  }

  free(node: NodeIndex): void {
    assert(node > EMPTY && node < this.#used, 'a node that is freed was made', { node, used: this.#used });
    if (this.isLeaf(node)) {
      const slot = this.left(node);
      this.#leafWords[slot * LEAF_WORDS] = this.#freeLeaf;
      this.#freeLeaf = slot;
    }
    this.#left[node] = this.#freeNode;
    this.#right[node] = EMPTY;
    this.#freeNode = node;
    this.#live--;
  }

  #takeNode(): NodeIndex {
    this.#live++;
    if (this.#freeNode !== END_OF_CHAIN) {
      const node = this.#freeNode;
      this.#freeNode = this.left(node);
      return node;
    }
    if (this.#used === this.#left.length) this.#growNodes();
    return this.#used++;
  }

  #takeLeafSlot(): number {
    if (this.#freeLeaf !== END_OF_CHAIN) {
      const slot = this.#freeLeaf;
      this.#freeLeaf = this.#leafWords[slot * LEAF_WORDS] as number;
      return slot;
    }
    if (this.#usedLeaves * LEAF_BYTES === this.#leafBytes.length) this.#growLeaves();
    return this.#usedLeaves++;
  }

  #growNodes(): void {
    const capacity = grown(this.#left.length);
    this.#hashes = copied(new Uint8Array(capacity * HASH_BYTES), this.#hashes);
    this.#left = copied(new Int32Array(capacity), this.#left);
    this.#right = copied(new Int32Array(capacity), this.#right);
  }

  #growLeaves(): void {
    const capacity = grown(this.#leafBytes.length / LEAF_BYTES);
    this.#leafBytes = copied(new Uint8Array(capacity * LEAF_BYTES), this.#leafBytes);
    this.#leafWords = new Int32Array(this.#leafBytes.buffer);
  }
}

/** By half, not by double: at a million keys the arrays are 150 MB. */
function grown(capacity: number): number {
  return capacity + (capacity >> 1);
}

function copied<T extends Uint8Array | Int32Array>(target: T, source: T): T {
  target.set(source);
  return target;
}

function sameBytes(a: Uint8Array, aOffset: number, b: Uint8Array, bOffset: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (a[aOffset + i] !== b[bOffset + i]) return false;
  return true;
}
