/** The ledger of a data directory: asked of the node that runs on it, or opened where none does. */
import { join } from 'node:path';
import { CodedError } from '../../base/result.ts';
import { LevelStore } from '../../store/level-store.ts';
import { ControlClient } from '../control-client.ts';
import { ledgerDirectory } from '../open-ledger.ts';
import { directorySource } from './directory-source.ts';
import { nodeSource } from './node-source.ts';
import type { LedgerSource } from './source.ts';

/** @throws CodedError those of `LevelStore.open` */
export async function openSource(dataDirectory: string): Promise<LedgerSource> {
  const control = new ControlClient(join(dataDirectory, 'control.sock'));
  if (await answers(control)) return nodeSource(control);
  return directorySource(await LevelStore.open(ledgerDirectory(dataDirectory)));
}

async function answers(control: ControlClient): Promise<boolean> {
  try {
    await control.health();
    return true;
  } catch (error) {
    if (error instanceof CodedError && error.code === 'node-not-running') return false;
    throw error;
  }
}
