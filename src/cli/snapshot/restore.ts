/** `hotledger snapshot restore`: a ledger in a directory that has none. */
import { Command } from 'commander';
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { sha256Hex } from '../../base/hash.ts';
import { loadBlsKey } from '../../node/bls-key.ts';
import type { NodeConfig } from '../../node/config.ts';
import { readGenesisFile } from '../../node/genesis-file.ts';
import { restoreLedger } from '../../node/snapshot/restore-ledger.ts';
import { snapshotAt } from '../../node/snapshot/snapshot-source.ts';
import { loadDefaultScheme } from '../../qc/default-scheme.ts';
import { CONFIG_OPTION } from '../options.ts';
import { printFacts, printJson } from '../print.ts';
import type { Terminal } from '../terminal.ts';
import { factsShown, nodeOf, type ConfigChoice } from './choice.ts';
import { progressOf } from './progress.ts';

const EXAMPLES = `
The data directory of the configuration must hold no ledger. A restoration that was interrupted goes on when the same command is
given again. A validator whose key was in use before does not sign from a restored directory: docs/operations/snapshots.md
says what to do.

Examples:
  hotledger snapshot restore --config ./net/new/config.json ledger.snapshot
  hotledger snapshot restore --config ./net/new/config.json /backup/data/snapshots/120000`;

export function restoreCommand(terminal: Terminal): Command {
  return new Command('restore')
    .summary('make a ledger out of a snapshot, in an empty directory')
    .description('Checks a snapshot from the genesis on, chunk by chunk, and makes a ledger of it that begins there.')
    .argument('<snapshot>', 'an exported file, or a folder of snapshots/ in a data directory')
    .option(...CONFIG_OPTION)
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action((from: string, options: ConfigChoice) => restore(from, options, terminal));
}

async function restore(from: string, options: ConfigChoice, terminal: Terminal): Promise<void> {
  const config = await nodeOf(options, terminal);
  const source = await snapshotAt(resolve(terminal.directory, from));
  const progress = progressOf('chunks', terminal, options.json === true);
  try {
    const restored = await restoreLedger({
      dataDirectory: config.dataDirectory,
      genesis: await readGenesisFile(config.genesis),
      validatorKey: await validatorKeyOf(config),
      source,
      threads: availableParallelism(),
      onProgress: ({ chunks, phase, totalChunks }) => progress.show(`restoring ${phase}`, chunks, totalChunks),
    });
    progress.end();
    if (options.json) printJson(terminal, restored);
    else printFacts(terminal, [...factsShown(restored), ['there already', `${restored.resumedChunks} chunks`]]);
  } finally {
    progress.end();
  }
}

async function validatorKeyOf({ blsKeyFile }: NodeConfig): Promise<ReturnType<typeof sha256Hex> | null> {
  if (blsKeyFile === null) return null;
  const { scheme } = await loadDefaultScheme();
  return sha256Hex(scheme.publicKeyOf(await loadBlsKey(blsKeyFile)));
}
