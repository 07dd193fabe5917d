/** The state that a replay begins with: of the genesis, or of BASE in a cluster that ran Raft. */
import { decodeOwnSealedBlock, type SealedBlock } from '../../ledger/block.ts';
import { unwrap } from '../../base/result.ts';
import { codedError } from '../../base/result.ts';
import { chainIdOf, type Genesis } from '../../ledger/genesis.ts';
import { genesisState, type GenesisState } from '../../ledger/genesis-state.ts';
import { stateAtBase } from '../raft/ledger-replay.ts';
import type { LedgerFacts, LedgerSource } from './source.ts';
import type { PlaceDescription } from './place.ts';

export interface FirstState {
  readonly kind: PlaceDescription['from']['kind'];
  readonly state: GenesisState;
}

/**
 * @throws CodedError `chain-mismatch`: the log is not of this genesis; `replay-from-snapshot`: the log does not go back to
 *   its beginning; those of `stateAtBase`
 */
export async function firstState(source: LedgerSource, facts: LedgerFacts, genesis: Genesis): Promise<FirstState> {
  const chainId = chainIdOf(genesis);
  if (facts.chainId !== chainId) {
    throw codedError('chain-mismatch', 'the data directory belongs to another chain', {
      chainId: facts.chainId,
      expected: chainId,
    });
  }
  if (facts.firstHeight > 0) {
    throw codedError('replay-from-snapshot', 'the log does not go back to its beginning', {
      firstHeight: facts.firstHeight,
    });
  }
  if (facts.consensus === 'hotstuff') return { kind: 'genesis', state: genesisState(genesis) };
  const pinned = await source.pin();
  try {
    return { kind: 'base', state: await stateAtBase(pinned, await firstBlock(source, chainId), genesis) };
  } finally {
    await pinned.close();
  }
}

async function firstBlock(source: LedgerSource, chainId: string): Promise<SealedBlock> {
  for await (const sealed of source.blocks(0, 0)) return unwrap(decodeOwnSealedBlock(chainId, sealed));
  throw codedError('store-corrupt', 'a block is missing from the log', { height: 0 });
}
