/**
 * The root of a subtree of the state tree, computed once from all of its leaves in the order of their key hashes. The
 * hashing is that of `state-proof.ts`; unlike the tree in memory it keeps nothing but one hash a leaf.
 */
import { assert } from '../base/assert.ts';
import { sha256Into } from '../base/hash.ts';

const HASH_BYTES = 32;
/** Key hash and leaf hash. */
const LEAF_BYTES = 2 * HASH_BYTES;
/** Levels of a tree. */
const KEY_BITS = 256;
const FIRST_CAPACITY = 64;

export class SubtreeHasher {
  /** Key hash and leaf hash of each leaf, one behind the other. */
  #leaves = new Uint8Array(FIRST_CAPACITY * LEAF_BYTES);
  #count = 0;
  #rises = true;
  /** Where the hashes of the two children of each level are put: one row a level. */
  readonly #children = new Uint8Array((KEY_BITS + 2) * LEAF_BYTES);
  /** What is hashed: a tag and two hashes. */
  readonly #message = new Uint8Array(1 + LEAF_BYTES);

  /** Forgets all leaves. @param expected about as many will follow */
  begin(expected: number): void {
    this.#count = 0;
    this.#rises = true;
    const bytes = expected * LEAF_BYTES;
    if (this.#leaves.length < bytes) this.#leaves = new Uint8Array(bytes);
  }

  /** Whether the key hash of each leaf so far is above that of the one before it. */
  get rises(): boolean {
    return this.#rises;
  }

  /** @returns the key hash: a view that holds until the next `begin` */
  add(key: Uint8Array, value: Uint8Array): Uint8Array {
    const at = this.#next();
    sha256Into(key, this.#leaves, at);
    return this.#addLeaf(at, value);
  }

  /** The same of a key whose hash is known. */
  addHashed(keyHash: Uint8Array, value: Uint8Array): void {
    const at = this.#next();
    this.#leaves.set(keyHash, at);
    this.#addLeaf(at, value);
  }

  #next(): number {
    const at = this.#count * LEAF_BYTES;
    if (at === this.#leaves.length) this.#grow();
    return at;
  }

  #addLeaf(at: number, value: Uint8Array): Uint8Array {
    const leaves = this.#leaves;
    sha256Into(value, this.#message, 1 + HASH_BYTES);
    this.#message.set(leaves.subarray(at, at + HASH_BYTES), 1);
    this.#message[0] = 0;
    sha256Into(this.#message, leaves, at + HASH_BYTES);
    if (this.#count > 0 && !this.#isAboveLast(at)) this.#rises = false;
    this.#count++;
    return leaves.subarray(at, at + HASH_BYTES);
  }

  /** The root of all leaves, which agree on the first `level` bits of their key hashes. 32 bytes of its own. */
  root(level: number): Uint8Array {
    assert(this.#rises, 'the leaves are in the order of their key hashes');
    const root = new Uint8Array(HASH_BYTES);
    this.#subtree(0, this.#count, level, root, 0);
    return root;
  }

  leaf(keyHash: Uint8Array, valueHash: Uint8Array): Uint8Array {
    return this.#tagged(0, keyHash, valueHash, new Uint8Array(HASH_BYTES));
  }

  joinInto(left: Uint8Array, right: Uint8Array, target: Uint8Array): void {
    this.#tagged(1, left, right, target);
  }

  #tagged(tag: number, left: Uint8Array, right: Uint8Array, target: Uint8Array): Uint8Array {
    this.#message[0] = tag;
    this.#message.set(left, 1);
    this.#message.set(right, 1 + HASH_BYTES);
    sha256Into(this.#message, target, 0);
    return target;
  }

  /** Writes the hash of the subtree of the leaves [from, to). */
  #subtree(from: number, to: number, level: number, target: Uint8Array, offset: number): void {
    if (to - from <= 1) {
      const at = from * LEAF_BYTES + HASH_BYTES;
      if (from === to) target.fill(0, offset, offset + HASH_BYTES);
      else target.set(this.#leaves.subarray(at, at + HASH_BYTES), offset);
      return;
    }
    const middle = this.#split(from, to, level);
    const row = level * LEAF_BYTES;
    this.#subtree(from, middle, level + 1, this.#children, row);
    this.#subtree(middle, to, level + 1, this.#children, row + HASH_BYTES);
    this.#message[0] = 1;
    this.#message.set(this.#children.subarray(row, row + LEAF_BYTES), 1);
    sha256Into(this.#message, target, offset);
  }

  /** The first leaf in [from, to) whose key hash has a one at `level`; all of them agree on the bits above. */
  #split(from: number, to: number, level: number): number {
    let low = from;
    let high = to;
    while (low < high) {
      const middle = (low + high) >> 1;
      const byte = this.#leaves[middle * LEAF_BYTES + (level >> 3)] as number;
      if ((byte >> (7 - (level & 7))) & 1) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #isAboveLast(at: number): boolean {
    for (let i = 0; i < HASH_BYTES; i++) {
      const difference = (this.#leaves[at + i] as number) - (this.#leaves[at - LEAF_BYTES + i] as number);
      if (difference !== 0) return difference > 0;
    }
    return false;
  }

  #grow(): void {
    const larger = new Uint8Array(2 * this.#leaves.length);
    larger.set(this.#leaves);
    this.#leaves = larger;
  }
}
