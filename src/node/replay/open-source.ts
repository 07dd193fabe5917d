/** The ledger of a data directory: asked of the node that runs on it, or opened where none does. */
import { openStore } from '../open-store.ts';
import { directorySource } from './directory-source.ts';
import type { LedgerSource } from './source.ts';

/** @throws CodedError those of `LevelStore.open` */
export async function openSource(dataDirectory: string): Promise<LedgerSource> {
  return directorySource(await openStore(dataDirectory, {}));
}
