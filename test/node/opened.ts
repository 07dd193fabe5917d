/** A chain's ledger in a directory on disk, which follows what the test commits to the chain. */
import { onTestFinished } from 'vitest';
import { unwrap } from '../../src/base/result.ts';
import type { CommittedBlock } from '../../src/consensus/engine.ts';
import { committedBlockOps } from '../../src/ledger/block-log.ts';
import type { VerifiedEvent } from '../../src/ledger/verified-event.ts';
import { openLedger, type OpenLedger } from '../../src/node/open-ledger.ts';
import type { LevelStore } from '../../src/store/level-store.ts';
import type { SealedChain } from '../ledger/chain.ts';
import { temporaryDirectory } from './directory.ts';

export interface FollowingLedger {
  readonly ledger: OpenLedger<LevelStore>;
  readonly directory: string;
  /** A block with these events, in memory and on disk. */
  readonly commit: (events?: readonly VerifiedEvent[]) => Promise<CommittedBlock>;
  /** The same up to the moment before its batch is written. */
  readonly commitInMemory: (events?: readonly VerifiedEvent[]) => CommittedBlock;
  readonly write: (committed: CommittedBlock) => Promise<void>;
}

/** The ledger of an observer. */
export async function followingLedger(chain: SealedChain): Promise<FollowingLedger> {
  const directory = await temporaryDirectory();
  const ledger = await openLedger(directory, chain.genesis, null);
  onTestFinished(() => ledger.store.close());
  const { machine, store } = ledger;
  const commitInMemory = (events: readonly VerifiedEvent[] = []): CommittedBlock => {
    const { sealed } = chain.commit(events);
    const { height, timestamp } = sealed.block.header;
    const context = { ...chain.context(height), timestamp };
    const changes = machine.commit(unwrap(machine.execute(machine.head, context, events)));
    return { block: sealed.block, sealed, changes };
  };
  const write = async ({ block, changes, sealed }: CommittedBlock): Promise<void> => {
    await store.batch(committedBlockOps(sealed, changes), { sync: false });
    machine.settled(block.header.height);
  };
  return {
    ledger,
    directory,
    commitInMemory,
    write,
    async commit(events) {
      const committed = commitInMemory(events);
      await write(committed);
      return committed;
    },
  };
}
