/** What a replay of a member's ledger begins with: the state at BASE, made again from the genesis and what was kept of it. */
import { codedError, unwrap, type Result } from '../../base/result.ts';
import type { SealedBlock } from '../../ledger/block.ts';
import { chainIdOf, type Genesis } from '../../ledger/genesis.ts';
import type { GenesisState } from '../../ledger/genesis-state.ts';
import { firstBlockAtBase } from '../../ledger/raft-base.ts';
import { checkBaseSeal, decodeRaftSeal, type RaftSeal } from '../../ledger/raft-seal.ts';
import type { Store } from '../../store/store.ts';
import { loadLegacy } from './ledger-store.ts';

/**
 * @param store holds the older system's values as they were at BASE
 * @param logged the first block of the log
 * @throws CodedError `state-root-mismatch`, `store-corrupt`, and what the seal of the first block is refused for
 */
export async function stateAtBase(
  store: Pick<Store, 'entries'>,
  logged: SealedBlock,
  genesis: Genesis,
): Promise<GenesisState> {
  const seal: Result<RaftSeal> = decodeRaftSeal(logged.seal.bytes);
  const record = unwrap(checkBaseSeal(logged.block.header, unwrap(seal)));
  const { carried, index, term } = unwrap(seal);
  const { changes, sealed } = firstBlockAtBase({
    genesis,
    legacy: await loadLegacy(store, null),
    record,
    position: { index, term },
    data: carried ?? new Uint8Array(0),
  });
  if (sealed.block.id !== logged.block.id) {
    throw codedError('state-root-mismatch', 'the first block is not what the genesis and the kept values make', {
      height: 0,
      named: logged.block.header.stateRoot,
      computed: sealed.block.header.stateRoot,
    });
  }
  return { chainId: chainIdOf(genesis), block: sealed.block, sealed, changes };
}
