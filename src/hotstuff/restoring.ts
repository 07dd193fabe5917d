/**
 * Starting again from what is on disk: uncommitted blocks are executed again, and the certificates in them and in the
 * safety record decide the round. Nothing is sent from here: the first step sends.
 */
import { assert } from '../base/assert.ts';
import { checkStateRoot } from '../ledger/block-rules.ts';
import type { SealedBlock } from '../ledger/block.ts';
import type { VerifiedCertificate } from '../qc/certificate.ts';
import { learnCertificate, learnFromSeal } from './learning.ts';
import type { ExecutableBlock } from './messages.ts';
import { blockContext, type Replica } from './replica.ts';

/** A block from this node's own disk: its certificate was verified before it was written. */
export interface RestoredBlock extends ExecutableBlock {
  readonly justify: VerifiedCertificate;
}

export function restoreBlocks(replica: Replica, head: SealedBlock, blocks: readonly RestoredBlock[]): void {
  const { tree, machine, rules } = replica;
  for (const { block, events, justify } of blocks.toSorted((a, b) => a.block.header.height - b.block.header.height)) {
    const parent = tree.get(block.header.parentId);
    // A newer program wrote a block that this one does not understand: it is left, as if it had been heard of only.
    if (parent === undefined || !machine.understands(parent.execution, block.header.height).ok) continue;
    const { height, timestamp } = block.header;
    const executed = machine.execute(parent.execution, blockContext(replica, height, timestamp), events);
    assert(executed.ok, 'a block on disk executes as it did', { height });
    assert(checkStateRoot(block.header, executed.value).ok, 'a block on disk gives its root again', { height });
    tree.insert(parent, { block, events, justify, execution: executed.value }).persisted = true;
    learnCertificate(replica, justify);
  }
  learnFromSeal(replica, head);
  learnCertificate(replica, rules.record.highCertificate);
}
