/** The blocks that this node serves to those that are behind: what is durable, as it lies on disk. */
import type { Hash } from '../base/hash.ts';
import { parentOfStored } from '../hotstuff/stored-block.ts';
import { MAX_BLOCKS_ANSWER_BYTES, MAX_BLOCKS_PER_ANSWER } from '../hotstuff/wire.ts';
import type { BlockLog } from '../ledger/block-log.ts';
import { blockKey, fromBigEndian } from '../ledger/layout.ts';
import type { BlockSource } from '../net/block-sync.ts';
import type { OpenLedger } from './open-ledger.ts';

export function blockSource(log: BlockLog, epoch: number): BlockSource {
  return {
    head() {
      const { blockId, height } = log.head();
      return { epoch, height, blockId };
    },
    // Genesis is not served: whoever asks has it, and its seal proves nothing.
    sealedAt: (height) => (height === 0 ? undefined : log.sealedBytesAt(height)),
    blocks: (ids) => branches(log, ids),
  };
}

/** The lowest height, genesis apart, whose block this node has; the one above its head where it has none. */
export async function oldestBlock({ log, store }: Pick<OpenLedger, 'log' | 'store'>): Promise<number> {
  const range = { gte: blockKey(1), lt: blockKey(Number.MAX_SAFE_INTEGER), limit: 1 };
  for await (const [key] of store.entries(range)) return fromBigEndian(key.subarray(1));
  return log.head().height + 1;
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
