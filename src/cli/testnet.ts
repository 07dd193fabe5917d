/** `hotledger testnet`: every directory of a new network at once. */
import { resolve } from 'node:path';
import { Command } from 'commander';
import { codedError } from '../base/result.ts';
import { CHAIN_NAME } from '../ledger/genesis.ts';
import { MAX_PORT, makeTestnet, type Testnet } from '../node/testnet.ts';
import { MAX_VALIDATORS } from '../qc/bitmap.ts';
import { loadDefaultScheme } from '../qc/default-scheme.ts';
import { startOfChain, withChainOptions, type ChainOptions } from './chain-options.ts';
import { consensusOption, gathered, wholeNumber } from './options.ts';
import { printJson } from './print.ts';
import type { Terminal } from './terminal.ts';

interface Options extends ChainOptions {
  readonly validators: number;
  readonly observers: number;
  readonly out: string;
  readonly name: string;
  readonly hosts?: readonly string[];
  readonly port: number;
  readonly consensus: 'hotstuff' | 'raft';
  readonly json?: true;
}

const EXAMPLES = `
Examples:
  hotledger testnet --validators 4 --out ./net
      four validators and an observer on loopback, ports 4001 to 4005
  hotledger testnet --validators 4 --out ./net --hosts v1.example.org,v2.example.org,v3.example.org,v4.example.org
      the same for four machines: copy each directory to its machine and start it there
  hotledger start --config ./net/validator-1/config.json`;

export function testnetCommand(terminal: Terminal): Command {
  const command = new Command('testnet')
    .summary('make the directories of a whole network, ready to start')
    .description(
      'Makes one directory a validator and one an observer, with keys, proofs of possession, the common genesis and ' +
        'configurations that know one another. For a network of one operator: whoever runs this holds all keys. ' +
        'Several operators use "hotledger init" and "hotledger genesis".',
    )
    .requiredOption('--out <dir>', 'directory to make')
    .option(
      '--validators <n>',
      'how many validators; 3f + 1 of them tolerate f faulty ones',
      wholeNumber(1, MAX_VALIDATORS),
      4,
    )
    .option('--observers <n>', 'how many observers', wholeNumber(0, 64), 1)
    .option('--name <name>', 'readable part of the chain id', 'testnet')
    .option('--hosts <hosts>', 'name or address of each machine, by commas: validators, then observers', gathered)
    .option(
      '--port <port>',
      'TCP port; on loopback the first of consecutive ones, 0 lets the system choose',
      wholeNumber(0, MAX_PORT),
      4001,
    );
  return withChainOptions(command.addOption(consensusOption()))
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action((options: Options) => testnet(options, terminal));
}

async function testnet(options: Options, terminal: Terminal): Promise<void> {
  if (!CHAIN_NAME.test(options.name)) throw codedError('usage', '--name has 1 to 31 characters a-z, 0-9 and -');
  const { scheme, warning } = await loadDefaultScheme();
  if (warning !== null) terminal.err(`hotledger: warning: ${warning}`);
  const made = await makeTestnet(
    {
      directory: resolve(terminal.directory, options.out),
      name: options.name,
      validators: options.validators,
      observers: options.observers,
      hosts: options.hosts,
      port: options.port,
      consensus: options.consensus,
      settings: {},
      ...(await startOfChain(options, [], terminal)),
    },
    scheme,
  );
  if (options.json) printJson(terminal, made);
  else tell(made, options, terminal);
}

function tell(made: Testnet, options: Options, terminal: Terminal): void {
  terminal.out(`chain id  ${made.chainId}`);
  terminal.out(`genesis   ${made.genesisFile}`);
  for (const node of made.nodes) terminal.out(`${node.name.padEnd(14)}${node.peerId}`);
  terminal.out('');
  terminal.out(
    options.hosts === undefined ? 'Start each of them here:' : 'Copy each directory to its machine, and there:',
  );
  for (const node of made.nodes) terminal.out(`  hotledger start --config ${node.configFile}`);
}
