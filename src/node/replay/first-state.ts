/**
 * The state that a replay begins with: of the genesis, of BASE in a cluster that ran Raft, or of a snapshot where the log
 * does not go back so far.
 */
import { codedError, unwrap } from '../../base/result.ts';
import { decodeOwnSealedBlock, type SealedBlock } from '../../ledger/block.ts';
import { stateOps } from '../../ledger/block-log.ts';
import { chainIdOf } from '../../ledger/genesis.ts';
import { genesisState, type GenesisState } from '../../ledger/genesis-state.ts';
import { stateAtBase } from '../raft/ledger-replay.ts';
import type { FirstState, FirstStateOptions } from './beginning.ts';
import { raftSnapshotFor, snapshotFor } from './from-snapshot.ts';
import type { LedgerFacts, LedgerSource } from './source.ts';

/**
 * @throws CodedError `chain-mismatch`: the log is not of this genesis; those of `snapshotFor`, `raftSnapshotFor` and
 *   `stateAtBase`
 */
export async function firstState(options: FirstStateOptions, facts: LedgerFacts): Promise<FirstState> {
  const { genesis, source } = options;
  const chainId = chainIdOf(genesis);
  if (facts.chainId !== chainId) {
    throw codedError('chain-mismatch', 'the data directory belongs to another chain', {
      chainId: facts.chainId,
      expected: chainId,
    });
  }
  if (facts.consensus === 'hotstuff') {
    const atGenesis = genesisState(genesis);
    if (facts.firstHeight === 0) return inMemory('genesis', atGenesis);
    return { ...(await snapshotFor(options, facts)), genesisId: atGenesis.block.id };
  }
  if (facts.firstHeight > 0) {
    const { note, ...state } = await raftSnapshotFor(options, facts);
    return { ...inMemory('snapshot', state), note };
  }
  const pinned = await source.pin();
  try {
    return inMemory('base', await stateAtBase(pinned, await firstBlock(source, chainId), genesis));
  } finally {
    await pinned.close();
  }
}

function inMemory(kind: FirstState['kind'], { block, chainId, changes, sealed }: GenesisState): FirstState {
  return {
    kind,
    chainId,
    block,
    sealed,
    genesisId: block.id,
    note: null,
    write: (place) => place.fill(stateOps(changes)),
    async *parts() {
      yield changes;
    },
  };
}

async function firstBlock(source: LedgerSource, chainId: string): Promise<SealedBlock> {
  for await (const sealed of source.blocks(0, 0)) return unwrap(decodeOwnSealedBlock(chainId, sealed));
  throw codedError('store-corrupt', 'a block is missing from the log', { height: 0 });
}
