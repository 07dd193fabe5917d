/** The ledger of a data directory: asked of the node that runs on it, or opened where none does. */
import { LevelStore } from '../../store/level-store.ts';
import { ledgerDirectory } from '../open-ledger.ts';
import { directorySource } from './directory-source.ts';
import type { LedgerSource } from './source.ts';

/** @throws CodedError those of `LevelStore.open` */
export async function openSource(dataDirectory: string): Promise<LedgerSource> {
  return directorySource(await LevelStore.open(ledgerDirectory(dataDirectory)));
}
