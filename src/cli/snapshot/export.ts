/** `hotledger snapshot export`: one file, every part of it checked. */
import { Command } from 'commander';
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { readGenesisFile } from '../../node/genesis-file.ts';
import { exportSnapshot } from '../../node/snapshot/export-snapshot.ts';
import { factsOf, openSnapshot } from '../../node/snapshot/open-snapshot.ts';
import { CONFIG_OPTION, wholeNumber } from '../options.ts';
import { printFacts, printJson } from '../print.ts';
import type { Terminal } from '../terminal.ts';
import { factsShown, nodeOf, sourceOf, type ConfigChoice } from './choice.ts';
import { progressOf } from './progress.ts';

interface Options extends ConfigChoice {
  readonly height?: number;
}

const EXAMPLES = `
Example:
  hotledger snapshot export --config ./net/observer/config.json ledger.snapshot`;

export function exportCommand(terminal: Terminal): Command {
  return new Command('export')
    .summary('write a snapshot as one file')
    .description('Writes a snapshot of the data directory as one file, to be carried to another machine.')
    .argument('<file>', 'where to; it is not there yet')
    .option(...CONFIG_OPTION)
    .option('--height <height>', 'which one (default: the newest)', wholeNumber(1, Number.MAX_SAFE_INTEGER))
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action((file: string, options: Options) => write(file, options, terminal));
}

async function write(file: string, options: Options, terminal: Terminal): Promise<void> {
  const config = await nodeOf(options, terminal);
  const source = await sourceOf(config, { file: undefined, height: options.height });
  const progress = progressOf('chunks', terminal, options.json === true);
  const path = resolve(terminal.directory, file);
  try {
    const snapshot = await openSnapshot(source, await readGenesisFile(config.genesis));
    const fileBytes = await exportSnapshot(snapshot, path, availableParallelism(), ({ chunks, totalChunks }) =>
      progress.show('exporting', chunks, totalChunks),
    );
    progress.end();
    const facts = factsOf(snapshot);
    if (options.json) printJson(terminal, { file: path, fileBytes, ...facts });
    else printFacts(terminal, [['file', path], ...factsShown(facts)]);
  } finally {
    progress.end();
  }
}
