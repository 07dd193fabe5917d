/** `hotledger init`: the directory of one node on this machine. */
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Command, Option } from 'commander';
import { codedError } from '../base/result.ts';
import { generateBlsKey, registrationOf, saveBlsKey, type RegistrationFile } from '../node/bls-key.ts';
import type { ConfigFile } from '../node/config-schema.ts';
import { parseConfig } from '../node/config.ts';
import { readGenesisFile } from '../node/genesis-file.ts';
import {
  generateIdentityKey,
  loadIdentityKey,
  saveIdentityKey,
  saveNewIdentityKey,
  type IdentityKeyType,
} from '../node/keys.ts';
import { loadDefaultScheme } from '../qc/default-scheme.ts';
import { gathered } from './options.ts';
import { printFacts, printJson } from './print.ts';
import type { Terminal } from './terminal.ts';

interface Options {
  readonly dir: string;
  readonly validator?: true;
  readonly keyType: IdentityKeyType;
  readonly identityKey?: string;
  readonly genesis?: string;
  readonly listen: readonly string[];
  readonly announce?: readonly string[];
  readonly bootstrap?: readonly string[];
  readonly json?: true;
}

const EXAMPLES = `
Examples:
  hotledger init --dir ./me --validator --listen /ip4/0.0.0.0/tcp/4001 --announce /dns/v1.example.org/tcp/4001
      makes keys and configuration, and prints the registration to send to whoever makes the genesis
  hotledger init --dir ./me --identity-key ~/.masa/masa_oracle_key --genesis ./genesis.json
      an observer that keeps the peer id of its masa-oracle node`;

export function initCommand(terminal: Terminal): Command {
  return new Command('init')
    .summary('make the keys and the configuration of one validator or observer')
    .description(
      'Makes a directory with an identity key, a configuration and, for a validator, a BLS key. Prints what to ' +
        'exchange with the others: a validator sends its registration (peer id, BLS public key, proof of possession, ' +
        'addresses) to whoever makes the genesis, and receives the genesis file.',
    )
    .requiredOption('--dir <dir>', 'directory to make')
    .option('--validator', 'make a BLS key and a registration too')
    .addOption(
      new Option('--key-type <type>', 'type of a new identity key')
        .choices(['ed25519', 'secp256k1'])
        .default('ed25519'),
    )
    .option('--identity-key <file>', 'keep the peer id of this key file, such as masa_oracle_key')
    .option('--genesis <file>', 'genesis of the network, if it exists already')
    .option('--listen <addr>', 'multiaddr to listen on; repeatable', gathered, ['/ip4/0.0.0.0/tcp/4001'])
    .option('--announce <addr>', 'multiaddr to tell others; repeatable', gathered)
    .option('--bootstrap <addr>', 'multiaddr of a peer to start from, ending in /p2p/ID; repeatable', gathered)
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action((options: Options) => init(options, terminal));
}

async function init(options: Options, terminal: Terminal): Promise<void> {
  const directory = resolve(terminal.directory, options.dir);
  // `--listen` given once or more replaces the default, which commander passes as the value before the first.
  const listen = options.listen.length > 1 ? options.listen.slice(1) : options.listen;
  const config = configFor(options, listen);
  const genesisFile = options.genesis === undefined ? null : resolve(terminal.directory, options.genesis);
  if (genesisFile !== null) await readGenesisFile(genesisFile);
  const identity =
    options.identityKey === undefined
      ? generateIdentityKey(options.keyType)
      : await loadIdentityKey({
          identityKeyFile: resolve(terminal.directory, options.identityKey),
          identityKeyHex: null,
        });
  await makeDirectory(directory);
  const saveKey = options.identityKey === undefined ? saveNewIdentityKey : saveIdentityKey;
  await saveKey(join(directory, 'masa_oracle_key'), identity);
  const registration = options.validator ? await register(directory, identity.peerId, options, listen) : null;
  const configFile = join(directory, 'config.json');
  await writeFile(configFile, `${JSON.stringify(config, null, 2)}\n`);
  if (genesisFile !== null) await copyFile(genesisFile, join(directory, 'genesis.json'));
  if (options.json) {
    printJson(terminal, { peerId: identity.peerId, directory, configFile, registration });
    return;
  }
  printFacts(terminal, [
    ['peer id', identity.peerId],
    ['directory', directory],
    ['configuration', configFile],
  ]);
  tellNext(options, directory, registration, terminal);
}

function configFor(options: Options, listen: readonly string[]): ConfigFile {
  const config: ConfigFile = {
    genesis: 'genesis.json',
    dataDirectory: 'data',
    identityKeyFile: 'masa_oracle_key',
    ...(options.validator ? { blsKeyFile: 'bls_key' } : {}),
    listen: [...listen],
    ...(options.announce === undefined ? {} : { announce: [...options.announce] }),
    bootstrap: [...(options.bootstrap ?? [])],
  };
  parseConfig(config, 'the flags');
  return config;
}

async function makeDirectory(directory: string): Promise<void> {
  try {
    await mkdir(directory, { mode: 0o700 });
  } catch (error) {
    throw codedError(
      'directory-exists',
      `cannot make ${directory}: it exists, or the directory above it does not; keys are never overwritten`,
      { directory },
      { cause: error },
    );
  }
}

async function register(
  directory: string,
  peerId: string,
  options: Options,
  listen: readonly string[],
): Promise<RegistrationFile> {
  const { scheme } = await loadDefaultScheme();
  const blsKey = generateBlsKey();
  await saveBlsKey(join(directory, 'bls_key'), blsKey);
  const reachable = (options.announce ?? listen).filter((address) => !/\/(0\.0\.0\.0|::)\/|\/tcp\/0$/.test(address));
  const registration = registrationOf(peerId, blsKey, reachable, scheme);
  await writeFile(join(directory, 'registration.json'), `${JSON.stringify(registration, null, 2)}\n`);
  return registration;
}

function tellNext(
  options: Options,
  directory: string,
  registration: RegistrationFile | null,
  terminal: Terminal,
): void {
  terminal.out('');
  if (registration !== null) {
    terminal.out(`Send this registration (${join(directory, 'registration.json')}) to whoever makes the genesis:`);
    terminal.out(JSON.stringify(registration));
    if (registration.multiaddrs.length === 0) {
      terminal.out(
        'It names no address: give --announce, or add one to it, so that the others can dial this validator.',
      );
    }
    terminal.out('');
  }
  if (options.genesis === undefined)
    terminal.out(`Put the network's genesis file at ${join(directory, 'genesis.json')}.`);
  terminal.out(`Then start it: hotledger start --config ${join(directory, 'config.json')}`);
}
