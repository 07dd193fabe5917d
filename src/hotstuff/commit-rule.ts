/**
 * Which block becomes final when a block is certified.
 *
 * Depth 2 (Jolteon, section 4; DiemBFT v4): a certified block commits its parent iff their rounds follow each other.
 *
 *     P(r) <--- B(r+1)  certified            =>  P
 *     P(r) <--- B(r+2)  certified            =>  nothing yet
 *
 * Depth 3 (Yin and others, PODC 2019, section 5): three blocks of rounds that follow each other, the last certified.
 *
 *     G(r) <--- P(r+1) <--- B(r+2)  certified  =>  G
 *
 * Without the check of the rounds the rule is unsafe: between two certified blocks whose rounds leave a gap, another
 * quorum may have certified a fork that the lock of nobody forbids.
 *
 * The answer is a function of the block and its ancestors alone, so that all who vote for B sign the same commit info;
 * a certificate with commit info is by itself the proof that the named block is final.
 */
import { assert } from '../base/assert.ts';
import type { Hash } from '../base/hash.ts';
import type { BlockHeader } from '../ledger/block.ts';
import type { CommitInfo, VoteData } from '../qc/ballot.ts';

export type CommitDepth = 2 | 3;

/** A block in its chain; `parent` is null only where this replica no longer knows it. */
export interface ChainLink {
  readonly id: Hash;
  readonly header: BlockHeader;
  readonly parent: ChainLink | null;
}

/**
 * @param block its parent must be known and, at depth 3, its grandparent where the rounds make it matter
 * @returns what its certificate would commit: null for nothing
 */
export function commitInfoOf(block: ChainLink, depth: CommitDepth): CommitInfo | null {
  let named = block;
  for (let step = 1; step < depth; step++) {
    const { parent } = named;
    assert(parent !== null, 'the ancestors that the commit rule reads are known', { round: named.header.round });
    if (parent.header.round + 1 !== named.header.round) return null;
    if (parent.header.round === 0) return null; // an epoch's genesis is final already
    named = parent;
  }
  const { height, round, stateRoot, nextValidatorSet } = named.header;
  return { height, round, blockId: named.id, stateRoot, nextValidatorSet };
}

/** One and the same vote: everything that is signed. */
export function sameVote(a: VoteData, b: VoteData): boolean {
  return (
    a.round === b.round &&
    a.blockId === b.blockId &&
    a.parentRound === b.parentRound &&
    a.parentId === b.parentId &&
    sameCommitInfo(a.commit, b.commit)
  );
}

export function sameCommitInfo(a: CommitInfo | null, b: CommitInfo | null): boolean {
  if (a === null || b === null) return a === b;
  return (
    a.blockId === b.blockId &&
    a.height === b.height &&
    a.round === b.round &&
    a.stateRoot === b.stateRoot &&
    a.nextValidatorSet === b.nextValidatorSet
  );
}
