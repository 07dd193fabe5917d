/**
 * The uncommitted blocks, as a tree over the last committed one.
 *
 *     root --+-- B1 -- B2 -- B3      advance(B2): the root is B2, B1 is final with it, C2 and D1 are forgotten
 *            |     \-- C2
 *            +-- D1
 *
 * Every block in the tree was executed on its parent and gave the root that its header names: to be in the tree is to
 * be valid. Nothing is said about who voted for it.
 */
import { assert } from '../base/assert.ts';
import type { Hash } from '../base/hash.ts';
import type { Block } from '../ledger/block.ts';
import type { Execution } from '../ledger/machine.ts';
import type { VerifiedEvent } from '../ledger/verified-event.ts';
import type { QuorumCertificate } from '../qc/certificate.ts';
import type { ChainLink } from './commit-rule.ts';

export interface TreeBlock extends ChainLink {
  readonly block: Block;
  readonly events: readonly VerifiedEvent[];
  /** The certificate of its parent; null where the block came with a seal instead, and is committed at once. */
  readonly justify: QuorumCertificate | null;
  readonly execution: Execution;
  /** Null where this replica does not know it: never below the root. */
  parent: TreeBlock | null;
  /** Its bytes are on disk, or will be before anything later is sent. */
  persisted: boolean;
  /** Its round is over and no certificate is known that leads to it: its events wait in the mempool again. */
  passedOver: boolean;
}

export interface Advance {
  /** From the old root's child to the new root. */
  readonly path: readonly TreeBlock[];
  /** Blocks of losing forks. */
  readonly forgotten: readonly TreeBlock[];
}

export class BlockTree {
  #root: TreeBlock;
  readonly #blocks = new Map<Hash, TreeBlock>();
  /** Uncommitted blocks that hold events or end the epoch. */
  readonly #weighty = new Set<TreeBlock>();

  /** @param head the last committed block, with the state after it */
  constructor(head: Block, execution: Execution) {
    assert(head.header.stateRoot === execution.stateRoot, 'the state is that of the head', {
      height: head.header.height,
    });
    this.#root = {
      id: head.id,
      header: head.header,
      block: head,
      events: [],
      justify: null,
      execution,
      parent: null,
      persisted: true,
      passedOver: false,
    };
    this.#blocks.set(head.id, this.#root);
  }

  get root(): TreeBlock {
    return this.#root;
  }

  get uncommittedBlocks(): number {
    return this.#blocks.size - 1;
  }

  /** Some uncommitted block holds events or ends the epoch, and may still be committed: it must not be left behind. */
  get hasWork(): boolean {
    return this.hasWorkAbove(this.#root.header.height);
  }

  /** The same of the blocks above this height. */
  hasWorkAbove(height: number): boolean {
    for (const { passedOver, header } of this.#weighty) if (!passedOver && header.height > height) return true;
    return false;
  }

  /**
   * Judges which blocks that hold something are passed over: their round is below `round`, and no block leads from them
   * to `tip`.
   *
   * @returns those that were not before
   */
  passOver(tip: TreeBlock, round: number): readonly TreeBlock[] {
    const news: TreeBlock[] = [];
    for (const block of this.#weighty) {
      const passedOver = block.header.round < round && !this.#descends(tip, block);
      if (passedOver && !block.passedOver) news.push(block);
      block.passedOver = passedOver;
    }
    return news;
  }

  get(id: Hash): TreeBlock | undefined {
    return this.#blocks.get(id);
  }

  uncommitted(): readonly TreeBlock[] {
    return [...this.#blocks.values()].filter((block) => block !== this.#root);
  }

  insert(parent: TreeBlock, added: Pick<TreeBlock, 'block' | 'events' | 'execution' | 'justify'>): TreeBlock {
    const { block, events, justify, execution } = added;
    assert(this.#blocks.get(parent.id) === parent, 'the parent is in the tree', { parent: parent.id });
    assert(!this.#blocks.has(block.id), 'a block is inserted once', { id: block.id });
    assert(block.header.parentId === parent.id, 'a block is inserted below its parent', { id: block.id });
    assert(block.header.height === parent.header.height + 1, 'heights follow each other', { id: block.id });
    assert((justify?.vote.blockId ?? parent.id) === parent.id, "a block's certificate is its parent's", {
      id: block.id,
    });
    assert(execution.stateRoot === block.header.stateRoot, 'a block in the tree was executed', { id: block.id });
    const { id, header } = block;
    const state = { persisted: false, passedOver: false };
    const inserted: TreeBlock = { id, header, block, events, justify, execution, parent, ...state };
    this.#blocks.set(id, inserted);
    if (hasWeight(inserted)) this.#weighty.add(inserted);
    return inserted;
  }

  /** From the root's child down to `block` itself. */
  pathTo(block: TreeBlock): readonly TreeBlock[] {
    const path: TreeBlock[] = [];
    for (let step: TreeBlock = block; step !== this.#root;) {
      path.push(step);
      assert(step.parent !== null, 'the block descends from the root', { id: block.id });
      step = step.parent;
    }
    return path.reverse();
  }

  /**
   * The block of the lowest round that leads nowhere: no child, and not on the way to `tip`. Undefined where there is
   * none.
   */
  lowestForkLeaf(tip: TreeBlock): TreeBlock | undefined {
    const kept = new Set<TreeBlock>([this.#root, ...this.pathTo(tip)]);
    for (const { parent } of this.#blocks.values()) if (parent !== null) kept.add(parent);
    let lowest: TreeBlock | undefined;
    for (const block of this.#blocks.values()) {
      if (!kept.has(block) && block.header.round < (lowest?.header.round ?? Infinity)) lowest = block;
    }
    return lowest;
  }

  /** Lets go of a leaf. */
  remove(leaf: TreeBlock): void {
    assert(leaf !== this.#root && this.#blocks.get(leaf.id) === leaf, 'a block that is removed is in the tree', {});
    this.#blocks.delete(leaf.id);
    this.#weighty.delete(leaf);
  }

  /** Makes `block` the root: it and its ancestors are final. */
  advance(block: TreeBlock): Advance {
    const path = this.pathTo(block);
    const forgotten: TreeBlock[] = [];
    for (const held of this.#blocks.values()) {
      if (held === block || this.#descends(held, block)) continue;
      this.#blocks.delete(held.id);
      this.#weighty.delete(held);
      if (held !== this.#root && !path.includes(held)) forgotten.push(held);
    }
    // The root's parent stays known for the commit rule at depth 3; what is above it is let go.
    if (block.parent !== null) block.parent.parent = null;
    this.#root = block;
    this.#weighty.delete(block);
    return { path, forgotten };
  }

  #descends(block: TreeBlock, ancestor: TreeBlock): boolean {
    let step: TreeBlock | null = block;
    while (step !== null && step.header.height > ancestor.header.height) step = step.parent;
    return step === ancestor;
  }
}

function hasWeight({ block, header }: TreeBlock): boolean {
  return block.events.length > 0 || header.nextValidatorSet !== null;
}
