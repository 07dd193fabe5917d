/**
 * Opening the data directory: the store, the block log and the machine at its head. An empty directory becomes a new
 * ledger; whether a new ledger may also begin to vote is another question, see `first-signature.ts`.
 */
import { CodedError, codedError } from '../base/result.ts';
import { BlockLog, type LogIdentity } from '../ledger/block-log.ts';
import type { Block } from '../ledger/block.ts';
import { genesisState, type GenesisState } from '../ledger/genesis-state.ts';
import type { Genesis } from '../ledger/genesis.ts';
import { RAFT_LEDGER_KEY } from '../ledger/layout.ts';
import type { LedgerMachine } from '../ledger/machine.ts';
import type { LevelStore } from '../store/level-store.ts';
import type { Store } from '../store/store.ts';
import { openStore } from './open-store.ts';

export { ledgerDirectory } from './open-store.ts';

export interface OpenLedger<S extends Store = Store> {
  readonly store: S;
  readonly log: BlockLog;
  readonly machine: LedgerMachine;
  /** Of height 0. */
  readonly genesisBlock: Block;
}

/** @throws CodedError of `openStore`, `BlockLog.create`, `BlockLog.open` and `BlockLog.loadMachine` */
export async function openLedger(
  dataDirectory: string,
  genesis: Genesis,
  validatorKey: LogIdentity['validatorKey'],
): Promise<OpenLedger<LevelStore>> {
  const store = await openStore(dataDirectory, { create: true, threads: true });
  try {
    return await openLedgerOn(store, genesis, validatorKey);
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** @throws CodedError `consensus-mismatch`, of `BlockLog.create`, `BlockLog.open` and `BlockLog.loadMachine` */
export async function openLedgerOn<S extends Store>(
  store: S,
  genesis: Genesis,
  validatorKey: LogIdentity['validatorKey'],
): Promise<OpenLedger<S>> {
  const first = genesisState(genesis);
  const log = await openOrCreate(store, { chainId: first.chainId, validatorKey }, first);
  return { store, log, machine: await log.loadMachine(), genesisBlock: first.block };
}

async function openOrCreate(store: Store, identity: LogIdentity, genesis: GenesisState): Promise<BlockLog> {
  if (store.get(RAFT_LEDGER_KEY) !== undefined) {
    throw codedError('consensus-mismatch', 'the data directory is that of a member of a Raft cluster');
  }
  try {
    return await BlockLog.open(store, identity);
  } catch (error) {
    if (!(error instanceof CodedError) || error.code !== 'store-empty') throw error;
    return BlockLog.create(store, identity, genesis);
  }
}
