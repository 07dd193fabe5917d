/** What executing a log again begins with: a block of it, and the whole state at that block. */
import { codedError } from '../../base/result.ts';
import type { BlockLog } from '../../ledger/block-log.ts';
import { chainIdOf, type Genesis } from '../../ledger/genesis.ts';
import { genesisState, type GenesisState } from '../../ledger/genesis-state.ts';
import { RAFT_LEDGER_KEY } from '../../ledger/layout.ts';
import type { Store } from '../../store/store.ts';
import { oldestRaftSnapshot } from '../raft/ledger-from-snapshot.ts';
import { stateAtBase } from '../raft/ledger-replay.ts';
import { SnapshotFolder } from '../snapshot/snapshot-folder.ts';
import { heightsOf } from './past-states.ts';
import { nearestSnapshot, oldestSnapshotAbove } from './snapshot-state.ts';

export interface ExecutedFrom {
  readonly store: Pick<Store, 'entries' | 'get'>;
  readonly log: BlockLog;
  readonly genesis: Genesis;
  /** Where the snapshots are. */
  readonly dataDirectory: string;
}

/**
 * The beginning of what can be executed: the genesis, BASE of a Raft cluster, the snapshot that the log begins with, or,
 * where blocks were dropped only so far as a policy wanted, the oldest snapshot above that.
 *
 * @throws CodedError `chain-mismatch`: the genesis is that of another chain; `replay-from-snapshot`: the log does not go
 *   back to its beginning, and there is no snapshot to begin with; and those of `stateAtBase` and `oldestRaftSnapshot`
 */
export async function firstStateOf(from: ExecutedFrom): Promise<GenesisState> {
  const { dataDirectory, genesis, log, store } = from;
  checkChain(from);
  const { from: firstHeight } = await heightsOf(store, log);
  const first = log.sealedBlockAt(firstHeight);
  const isRaft = store.get(RAFT_LEDGER_KEY) !== undefined;
  if (first !== undefined && firstHeight === 0) {
    return isRaft ? stateAtBase(store, first, genesis) : genesisState(genesis);
  }
  const snapshots = SnapshotFolder.of(dataDirectory);
  const snapshot = isRaft
    ? await oldestRaftSnapshot(dataDirectory, log.chainId, ({ header: { height }, id }) =>
        Promise.resolve(log.sealedBlockAt(height)?.block.id === id),
      )
    : ((await nearestSnapshot(snapshots, log, genesis, firstHeight)) ??
      (await oldestSnapshotAbove(snapshots, log, genesis, firstHeight)));
  if (snapshot !== undefined) return snapshot;
  const message = 'the log does not go back to its beginning, and there is no snapshot to begin with';
  throw codedError('replay-from-snapshot', message, { firstHeight });
}

/** The nearest snapshot at this height or below, else the beginning of the log. @throws CodedError as `firstStateOf` */
export async function stateBefore(from: ExecutedFrom, height: number): Promise<GenesisState> {
  checkChain(from);
  const snapshots = SnapshotFolder.of(from.dataDirectory);
  return (await nearestSnapshot(snapshots, from.log, from.genesis, height)) ?? (await firstStateOf(from));
}

function checkChain({ genesis, log }: ExecutedFrom): void {
  const expected = chainIdOf(genesis);
  if (expected === log.chainId) return;
  throw codedError('chain-mismatch', 'the genesis is not that of the chain in the data directory', {
    chainId: log.chainId,
    expected,
  });
}
