/**
 * Opening the data directory: the store, the block log and the machine at its head. An empty directory becomes a new
 * ledger; whether a new ledger may also begin to vote is another question, see `first-signature.ts`.
 */
import { join } from 'node:path';
import { CodedError } from '../base/result.ts';
import { BlockLog, type LogIdentity } from '../ledger/block-log.ts';
import { genesisState, type GenesisState } from '../ledger/genesis-state.ts';
import type { Genesis } from '../ledger/genesis.ts';
import type { LedgerMachine } from '../ledger/machine.ts';
import { LevelStore } from '../store/level-store.ts';

export interface OpenLedger {
  readonly store: LevelStore;
  readonly log: BlockLog;
  readonly machine: LedgerMachine;
  readonly genesis: GenesisState;
  /** The directory held nothing before. */
  readonly isNew: boolean;
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
): Promise<OpenLedger> {
  const first = genesisState(genesis);
  const identity: LogIdentity = { chainId: first.chainId, validatorKey };
  const store = await LevelStore.open(ledgerDirectory(dataDirectory), { create: true });
  try {
    const { log, isNew } = await openOrCreate(store, identity, first);
    return { store, log, machine: await log.loadMachine(), genesis: first, isNew };
  } catch (error) {
    await store.close();
    throw error;
  }
}

async function openOrCreate(
  store: LevelStore,
  identity: LogIdentity,
  genesis: GenesisState,
): Promise<{ readonly log: BlockLog; readonly isNew: boolean }> {
  try {
    return { log: await BlockLog.open(store, identity), isNew: false };
  } catch (error) {
    if (!(error instanceof CodedError) || error.code !== 'store-empty') throw error;
    return { log: await BlockLog.create(store, identity, genesis), isNew: true };
  }
}
