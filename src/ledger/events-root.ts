/**
 * The Merkle tree over a block's events, as RFC 6962 section 2.1 builds it: leaves are hashed under 0x00 and inner
 * nodes under 0x01, so that neither passes for the other, and a list of n splits at the largest power of two below n.
 */
import { hashFromBytes, sha256, sha256Into, type Hash } from '../base/hash.ts';

const LEAF = 0;
const INNER = 1;
const HASH_BYTES = 32;
const NO_EVENTS = sha256(new Uint8Array(0));

/** @param leaves the canonical bytes of each signed event, signature included; of an empty list: SHA-256 of nothing */
export function eventsRoot(leaves: readonly Uint8Array[]): Hash {
  if (leaves.length === 0) return hashFromBytes(NO_EVENTS);
  const subtrees = new FinishedSubtrees(leaves.length);
  const longest = leaves.reduce((most, { length }) => Math.max(most, length), 0);
  const message = new Uint8Array(1 + longest);
  message[0] = LEAF;
  for (const [index, leaf] of leaves.entries()) {
    message.set(leaf, 1);
    subtrees.push(message.subarray(0, 1 + leaf.length));
    for (let count = index + 1; count % 2 === 0; count /= 2) subtrees.joinLastTwo();
  }
  while (subtrees.depth > 1) subtrees.joinLastTwo();
  return hashFromBytes(subtrees.last());
}

/** One finished subtree a set bit of the number of leaves seen: the same tree as the recursive definition. */
class FinishedSubtrees {
  /** The roots of the subtrees, the largest first; and the leaf that joins them. */
  readonly #stack: Uint8Array;
  readonly #message = new Uint8Array(1 + 2 * HASH_BYTES).fill(INNER, 0, 1);
  depth = 0;

  constructor(leaves: number) {
    this.#stack = new Uint8Array((33 - Math.clz32(leaves)) * HASH_BYTES);
  }

  push(message: Uint8Array): void {
    sha256Into(message, this.#stack, this.depth * HASH_BYTES);
    this.depth++;
  }

  joinLastTwo(): void {
    const start = (this.depth - 2) * HASH_BYTES;
    this.#message.set(this.#stack.subarray(start, start + 2 * HASH_BYTES), 1);
    sha256Into(this.#message, this.#stack, start);
    this.depth--;
  }

  last(): Uint8Array {
    return this.#stack.subarray((this.depth - 1) * HASH_BYTES, this.depth * HASH_BYTES);
  }
}
