/** `hotledger genesis`: from the registrations of validators on separate machines to the file that all share. */
import { readFile, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Command } from 'commander';
import { codedError, unwrap } from '../base/result.ts';
import { chainIdOf, formatGenesis, type Genesis, type GenesisValidator } from '../ledger/genesis.ts';
import { MAX_LIVENESS_WINDOW_SECONDS, MIN_LIVENESS_WINDOW_SECONDS, NEWEST_EVENT_SCHEMA } from '../ledger/parameters.ts';
import { genesisValidatorOf } from '../node/genesis-file.ts';
import { loadDefaultScheme } from '../qc/default-scheme.ts';
import { makeValidatorSet } from '../qc/validator-set.ts';
import { readOlderRecords, withOlderRecordOptions, type OlderRecordOptions } from './older-records.ts';
import { wholeNumber } from './options.ts';
import { printFacts, printJson } from './print.ts';
import type { Terminal } from './terminal.ts';

interface Options extends OlderRecordOptions {
  readonly name: string;
  readonly out: string;
  readonly import?: string;
  readonly commitDepth: number;
  readonly livenessWindow: number;
  readonly json?: true;
}

const EXAMPLES = `
Example:
  hotledger genesis a/registration.json b/registration.json c/registration.json d/registration.json \\
      --name masa --out genesis.json`;

export function genesisCommand(terminal: Terminal): Command {
  const command = new Command('genesis')
    .summary("make the genesis file from the validators' registrations")
    .description(
      'Checks each registration with its proof of possession and writes the genesis file. Everybody starts from the ' +
        'same file: its hash is in the chain id that is printed.',
    )
    .argument('<registration...>', 'registration files, as "hotledger init --validator" makes them')
    .requiredOption('--name <name>', 'readable part of the chain id: 1 to 31 characters a-z, 0-9, -')
    .requiredOption('--out <file>', 'file to write')
    .option('--import <file>', 'start from an export of the older network; look at it with "hotledger import" first')
    .option('--commit-depth <2|3>', "2, or 3 for the original paper's rule", wholeNumber(2, 3), 2)
    .option(
      '--liveness-window <seconds>',
      'a node counts as active while it was heard from within this time',
      wholeNumber(MIN_LIVENESS_WINDOW_SECONDS, MAX_LIVENESS_WINDOW_SECONDS),
      3600,
    );
  return withOlderRecordOptions(command)
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action((files: string[], options: Options) => makeGenesis(files, options, terminal));
}

async function makeGenesis(files: readonly string[], options: Options, terminal: Terminal): Promise<void> {
  const { scheme } = await loadDefaultScheme();
  const validators = await Promise.all(files.map((file) => readRegistration(resolve(terminal.directory, file))));
  validators.sort((a, b) => (a.peerId < b.peerId ? -1 : 1));
  unwrap(makeValidatorSet(0, validators, scheme));
  const peerIds = validators.map(({ peerId }) => peerId);
  const imported =
    options.import === undefined ? undefined : await readOlderRecords(options.import, options, peerIds, terminal);
  const genesis: Genesis = {
    name: options.name,
    timestamp: Math.max(Math.floor(Date.now() / 1000), imported?.latestTimeSeconds ?? 0),
    commitDepth: options.commitDepth as 2 | 3,
    parameters: { livenessWindowSeconds: options.livenessWindow, eventSchema: NEWEST_EVENT_SCHEMA },
    validators,
    records: imported?.records ?? [],
  };
  const out = resolve(terminal.directory, options.out);
  await writeFile(out, formatGenesis(genesis), { flag: 'wx' });
  const chainId = chainIdOf(genesis);
  if (options.json) {
    printJson(terminal, { chainId, genesisFile: out, validators: validators.length, records: genesis.records.length });
    return;
  }
  printFacts(terminal, [
    ['chain id', chainId],
    ['genesis', out],
    ['validators', validators.length],
    ['records', genesis.records.length],
  ]);
}

async function readRegistration(path: string): Promise<GenesisValidator> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw codedError(
      'registration-invalid',
      `cannot read the registration ${path}: ${(error as Error).message}`,
      { path },
      { cause: error },
    );
  }
  return unwrap(genesisValidatorOf(value));
}
