/** `hotledger snapshot verify`: every chunk against the root that a quorum signed. */
import { Command } from 'commander';
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { CodedError } from '../../base/result.ts';
import { readGenesisFile } from '../../node/genesis-file.ts';
import { factsOf, openSnapshot, verifyChunks } from '../../node/snapshot/open-snapshot.ts';
import { CommandFailure, EXIT } from '../exit.ts';
import { CONFIG_OPTION, wholeNumber } from '../options.ts';
import { printFacts, printJson } from '../print.ts';
import type { Terminal } from '../terminal.ts';
import { factsShown, nodeOf, sourceOf, type ConfigChoice } from './choice.ts';
import { progressOf } from './progress.ts';

interface Options extends ConfigChoice {
  readonly height?: number;
}

const EXAMPLES = `
Exits with 3 when anything in it does not hold.

Examples:
  hotledger snapshot verify --config ./net/observer/config.json
  hotledger snapshot verify --config ./net/observer/config.json ledger.snapshot`;

export function verifyCommand(terminal: Terminal): Command {
  return new Command('verify')
    .summary('check a snapshot against the genesis')
    .description('Checks the seal of its block from the genesis on, and every chunk against the state root.')
    .argument('[file]', 'an exported snapshot (default: one in the data directory)')
    .option(...CONFIG_OPTION)
    .option('--height <height>', 'which one (default: the newest)', wholeNumber(1, Number.MAX_SAFE_INTEGER))
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action((file: string | undefined, options: Options) => verify(file, options, terminal));
}

async function verify(file: string | undefined, options: Options, terminal: Terminal): Promise<void> {
  const config = await nodeOf(options, terminal);
  const progress = progressOf('chunks', terminal, options.json === true);
  try {
    const path = file === undefined ? undefined : resolve(terminal.directory, file);
    const source = await sourceOf(config, { file: path, height: options.height });
    const snapshot = await openSnapshot(source, await readGenesisFile(config.genesis));
    const threads = availableParallelism();
    const entries = await verifyChunks(snapshot, threads, ({ chunks, totalChunks }) =>
      progress.show('verifying', chunks, totalChunks),
    );
    progress.end();
    const facts = { ...factsOf(snapshot), entries };
    if (options.json) printJson(terminal, { valid: true, ...facts });
    else printFacts(terminal, [['valid', true], ...factsShown(facts)]);
  } catch (error) {
    progress.end();
    throw error instanceof CodedError ? new CommandFailure(EXIT.unverified, error) : error;
  }
}
