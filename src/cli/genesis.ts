/** `hotledger genesis`: from the registrations of validators on separate machines to the file that all share. */
import { readFile, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Command } from 'commander';
import { codedError, unwrap } from '../base/result.ts';
import { chainIdOf, formatGenesis, type Genesis, type GenesisValidator } from '../ledger/genesis.ts';
import { genesisValidatorOf } from '../node/genesis-file.ts';
import { loadDefaultScheme } from '../qc/default-scheme.ts';
import { makeValidatorSet } from '../qc/validator-set.ts';
import { startOfChain, withChainOptions, type ChainOptions } from './chain-options.ts';
import { printFacts, printJson } from './print.ts';
import type { Terminal } from './terminal.ts';

interface Options extends ChainOptions {
  readonly name: string;
  readonly out: string;
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
    .requiredOption('--out <file>', 'file to write');
  return withChainOptions(command)
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
  const start = await startOfChain(options, peerIds, terminal);
  const genesis: Genesis = { name: options.name, validators, ...start };
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
