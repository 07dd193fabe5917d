/** What executing a log again begins with: the first block, and the whole state at it. */
import { codedError } from '../../base/result.ts';
import type { SealedBlock } from '../../ledger/block.ts';
import type { BlockLog } from '../../ledger/block-log.ts';
import type { Genesis } from '../../ledger/genesis.ts';
import { genesisState, type GenesisState } from '../../ledger/genesis-state.ts';
import { RAFT_LEDGER_KEY } from '../../ledger/layout.ts';
import type { Store } from '../../store/store.ts';
import { stateAtBase } from '../raft/ledger-replay.ts';

/**
 * The genesis, or BASE of a Raft cluster.
 *
 * @throws CodedError `chain-mismatch`: the genesis is that of another chain; `replay-from-snapshot`: the log does not go
 *   back to it; and those of `stateAtBase`
 */
export async function firstStateOf(
  store: Pick<Store, 'entries' | 'get'>,
  log: BlockLog,
  genesis: Genesis,
): Promise<GenesisState> {
  const isRaft = store.get(RAFT_LEDGER_KEY) !== undefined;
  const first = isRaft ? await stateAtBase(store, firstBlock(log), genesis) : genesisState(genesis);
  if (first.chainId === log.chainId) return first;
  throw codedError('chain-mismatch', 'the genesis is not that of the chain in the data directory', {
    chainId: log.chainId,
    expected: first.chainId,
  });
}

function firstBlock(log: BlockLog): SealedBlock {
  const first = log.sealedBlockAt(0);
  if (first !== undefined) return first;
  throw codedError('replay-from-snapshot', 'the log does not go back to its beginning');
}
