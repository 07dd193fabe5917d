/** The ledger of a data directory: asked of the node that runs on it, or opened where none does. */
import { join } from 'node:path';
import { CodedError } from '../../base/result.ts';
import { ControlClient } from '../control-client.ts';
import { openStore } from '../open-store.ts';
import { directorySource } from './directory-source.ts';
import { nodeSource } from './node-source.ts';
import type { LedgerSource } from './source.ts';

/** @throws CodedError those of `LevelStore.open` */
export async function openSource(dataDirectory: string): Promise<LedgerSource> {
  if (await isRunning(dataDirectory)) return nodeSource(controlOf(dataDirectory));
  return directorySource(await openStore(dataDirectory, {}));
}

function controlOf(dataDirectory: string): ControlClient {
  return new ControlClient(join(dataDirectory, 'control.sock'));
}

/** Whether a node answers on the control socket in the directory. */
export async function isRunning(dataDirectory: string): Promise<boolean> {
  try {
    await controlOf(dataDirectory).health();
    return true;
  } catch (error) {
    if (error instanceof CodedError && error.code === 'node-not-running') return false;
    throw error;
  }
}
