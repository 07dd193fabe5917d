/** Which data directory is meant, and where its genesis file is. */
import { access } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { codedError } from '../../base/result.ts';
import { configFileOf, configOf, type NodeChoice } from '../options.ts';
import type { Terminal } from '../terminal.ts';

export interface DirectoryChoice extends NodeChoice {
  readonly genesis?: string;
}

export interface ChosenDirectory {
  readonly dataDirectory: string;
  readonly genesisFile: string;
}

/** @throws CodedError `usage`, and those of the configuration */
export async function directoryOf(options: DirectoryChoice, terminal: Terminal): Promise<ChosenDirectory> {
  const named = options.genesis === undefined ? undefined : resolve(terminal.directory, options.genesis);
  if (options.data !== undefined) {
    const dataDirectory = resolve(terminal.directory, options.data);
    return { dataDirectory, genesisFile: named ?? (await genesisBeside(dataDirectory)) };
  }
  const file = configFileOf(options, terminal);
  if (file === undefined) throw codedError('usage', 'name the node with --config FILE or --data DIR');
  const { dataDirectory, genesis } = await configOf(file, {}, terminal);
  return { dataDirectory, genesisFile: named ?? genesis };
}

/** Where `init` and `testnet` put it. */
async function genesisBeside(dataDirectory: string): Promise<string> {
  for (const directory of [dataDirectory, join(dataDirectory, '..')]) {
    const file = join(directory, 'genesis.json');
    const isThere = await access(file).then(
      () => true,
      () => false,
    );
    if (isThere) return file;
  }
  throw codedError('usage', 'name the genesis file with --genesis: there is no genesis.json beside the data directory');
}
