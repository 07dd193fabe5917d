/**
 * Opening the data directory: the store, the block log and the machine at its head. An empty directory becomes a new
 * ledger; whether a new ledger may also begin to vote is another question, see `first-signature.ts`.
 */
import { join } from 'node:path';
import { CodedError, codedError } from '../base/result.ts';
import { BlockLog, type LogIdentity } from '../ledger/block-log.ts';
import type { Block } from '../ledger/block.ts';
import { genesisState, type GenesisState } from '../ledger/genesis-state.ts';
import type { Genesis } from '../ledger/genesis.ts';
import { RAFT_LEDGER_KEY } from '../ledger/layout.ts';
import type { LedgerMachine } from '../ledger/machine.ts';
import { LevelStore } from '../store/level-store.ts';
import type { Store } from '../store/store.ts';

export interface OpenLedger {
  readonly store: Store;
  readonly log: BlockLog;
  readonly machine: LedgerMachine;
  /** Of height 0. */
  readonly genesisBlock: Block;
}

/** @param dataDirectory the store lies in `ledger` below it */
export function ledgerDirectory(dataDirectory: string): string {
  return join(dataDirectory, 'ledger');
}

/** @throws CodedError of `LevelStore.open`, `BlockLog.create`, `BlockLog.open` and `BlockLog.loadMachine` */
export async function openLedger(
  dataDirectory: string,
  genesis: Genesis,
  validatorKey: LogIdentity['validatorKey'],
): Promise<OpenLedger & { readonly store: LevelStore }> {
  const store = await LevelStore.open(ledgerDirectory(dataDirectory), { create: true });
  try {
    return { ...(await openLedgerOn(store, genesis, validatorKey)), store };
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** @throws CodedError `consensus-mismatch`, of `BlockLog.create`, `BlockLog.open` and `BlockLog.loadMachine` */
export async function openLedgerOn(
  store: Store,
  genesis: Genesis,
  validatorKey: LogIdentity['validatorKey'],
): Promise<OpenLedger> {
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
