import { describe, expect, it } from 'vitest';
import { BlockTree, type TreeBlock } from '../../src/hotstuff/block-tree.ts';
import type { Execution } from '../../src/ledger/machine.ts';
import type { VerifiedEvent } from '../../src/ledger/verified-event.ts';
import { joinOf } from './chain.ts';
import { certificateOf, chain, GENESIS, linkOn, type Link } from './links.ts';

function executionOf({ header }: Pick<Link, 'header'>): Execution {
  const { height, stateRoot, timestamp } = header;
  return { height, stateRoot, timestamp, get: () => undefined };
}

/** Inserts a block of this round on `parent`. */
function add(tree: BlockTree, parent: TreeBlock, round: number, events: readonly VerifiedEvent[] = []): TreeBlock {
  const link = linkOn(parent, round);
  const block = { ...link.block, events };
  const justify = certificateOf(parent);
  return tree.insert(parent, { block, events, justify, execution: executionOf(link) });
}

function newTree(): BlockTree {
  return new BlockTree(GENESIS.block, executionOf(GENESIS));
}

/**
 *     genesis --+-- B1 -- B2 -- B3
 *               |     \-- C5
 *               +-- D4
 */
function forked() {
  const tree = newTree();
  const B1 = add(tree, tree.root, 1);
  const B2 = add(tree, B1, 2);
  const B3 = add(tree, B2, 3);
  const D4 = add(tree, tree.root, 4);
  const C5 = add(tree, B1, 5);
  return { tree, B1, B2, B3, C5, D4 };
}

describe('a tree of blocks', () => {
  it('gives the way from the root to a block', () => {
    const { tree, B1, B2, B3, C5 } = forked();
    expect(tree.pathTo(B3)).toEqual([B1, B2, B3]);
    expect(tree.pathTo(C5)).toEqual([B1, C5]);
    expect(tree.pathTo(tree.root)).toEqual([]);
    expect(tree.uncommittedBlocks).toBe(5);
  });

  it('forgets the forks that lost when the root advances, and keeps what descends from it', () => {
    const { tree, B1, B2, B3, C5, D4 } = forked();
    const { path, forgotten } = tree.advance(B2);
    expect(path).toEqual([B1, B2]);
    expect(forgotten).toEqual([D4, C5]);
    expect(tree.root).toBe(B2);
    expect(tree.uncommitted()).toEqual([B3]);
    expect(tree.get(B1.id)).toBeUndefined();
  });

  it('still knows the parent of its root, which the commit rule of depth 3 reads, and nothing above', () => {
    const { tree, B1, B2 } = forked();
    tree.advance(B2);
    expect(tree.root.parent).toBe(B1);
    expect(B1.parent).toBeNull();
  });

  it('has work while a block with events may still be committed', () => {
    const tree = newTree();
    const B1 = add(tree, tree.root, 1, [joinOf(chain, 1)]);
    const B2 = add(tree, B1, 2);
    expect(tree.hasWork).toBe(true);
    expect(tree.passOver(B2, 9)).toEqual([]);
    tree.advance(B1);
    expect(tree.hasWork).toBe(false);
  });

  it('passes over blocks with events that no certificate leads to once their round is over, each once', () => {
    const tree = newTree();
    const lost = add(tree, tree.root, 1, [joinOf(chain, 1)]);
    const tip = add(tree, tree.root, 2);
    expect(tree.passOver(tip, 1)).toEqual([]);
    expect(tree.passOver(tip, 2)).toEqual([lost]);
    expect(tree.passOver(tip, 3)).toEqual([]);
    expect(tree.hasWork).toBe(false);
    expect(tree.passOver(lost, 3)).toEqual([]); // it was certified after all
    expect(tree.hasWork).toBe(true);
  });

  it('names the leaf of the lowest round beside the chain as the first to let go of', () => {
    const { tree, B3, C5, D4 } = forked();
    expect(tree.lowestForkLeaf(B3)).toBe(D4);
    tree.remove(D4);
    expect(tree.lowestForkLeaf(B3)).toBe(C5);
    tree.remove(C5);
    expect(tree.lowestForkLeaf(B3)).toBeUndefined();
  });
});
