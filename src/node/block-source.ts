/** The blocks that this node serves to those that are behind: what is durable, as it lies on disk. */
import type { Hash } from '../base/hash.ts';
import { parentOfStored } from '../hotstuff/stored-block.ts';
import { MAX_BLOCKS_ANSWER_BYTES, MAX_BLOCKS_PER_ANSWER } from '../hotstuff/wire.ts';
import type { BlockLog } from '../ledger/block-log.ts';
import type { BlockSource } from '../net/block-sync.ts';

export function blockSource(log: BlockLog, epoch: number): BlockSource {
  return {
    head() {
      const { blockId, height } = log.head();
      return { epoch, height, blockId };
    },
    oldest: () => log.floor(),
    // Genesis is not served: whoever asks has it, and its seal proves nothing.
    sealedAt: (height) => (height === 0 ? undefined : log.sealedBytesAt(height)),
    blocks: (ids) => branches(log, ids),
  };
}

/** Whoever lacks an uncommitted block lacks its ancestors too as a rule: giving them with it saves round trips. */
function* branches(log: BlockLog, ids: readonly Hash[]): Generator<Uint8Array> {
  let count = 0;
  let total = 0;
  for (const id of ids) {
    for (let stored = log.uncommittedBytes(id); stored !== undefined; stored = parentOf(log, stored)) {
      total += stored.length;
      count++;
      if (count > MAX_BLOCKS_PER_ANSWER || total > MAX_BLOCKS_ANSWER_BYTES) return;
      yield stored;
    }
  }
}

function parentOf(log: BlockLog, stored: Uint8Array): Uint8Array | undefined {
  const parent = parentOfStored(stored);
  return parent === undefined ? undefined : log.uncommittedBytes(parent);
}
