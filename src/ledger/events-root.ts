/**
 * The Merkle tree over a block's events, as RFC 6962 section 2.1 builds it: leaves are hashed under 0x00 and inner
 * nodes under 0x01, so that neither passes for the other, and a list of n splits at the largest power of two below n.
 */
import { concatBytes } from '../base/bytes.ts';
import { hashFromBytes, sha256, type Hash } from '../base/hash.ts';

const LEAF = Uint8Array.of(0);
const INNER = Uint8Array.of(1);

/** @param leaves the canonical bytes of each signed event, signature included; of an empty list: SHA-256 of nothing */
export function eventsRoot(leaves: readonly Uint8Array[]): Hash {
  return hashFromBytes(merkleRoot(leaves));
}

/** Keeps one finished subtree a set bit of the number of leaves seen: the same tree as the recursive definition. */
function merkleRoot(leaves: readonly Uint8Array[]): Uint8Array {
  if (leaves.length === 0) return sha256(new Uint8Array(0));
  const subtrees: Uint8Array[] = [];
  for (const [index, leaf] of leaves.entries()) {
    subtrees.push(sha256(concatBytes(LEAF, leaf)));
    for (let bits = index + 1; bits % 2 === 0; bits /= 2) joinLastTwo(subtrees);
  }
  while (subtrees.length > 1) joinLastTwo(subtrees);
  return subtrees[0] as Uint8Array;
}

function joinLastTwo(subtrees: Uint8Array[]): void {
  const right = subtrees.pop() as Uint8Array;
  const left = subtrees.pop() as Uint8Array;
  subtrees.push(sha256(concatBytes(INNER, left, right)));
}
