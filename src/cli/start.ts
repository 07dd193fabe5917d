/** `hotledger start`: one node in the foreground, until it is told to stop. */
import { Command, Option } from 'commander';
import { CodedError, codedError } from '../base/result.ts';
import type { ConfigOverlay } from '../node/config-schema.ts';
import { RETIRED_SETTINGS } from '../node/config-environment.ts';
import { migrateDirectory } from './migrate/move.ts';
import { configOf, gathered, wholeNumber } from './options.ts';
import { joiningBar } from './joining-bar.ts';
import type { Terminal } from './terminal.ts';

interface Options {
  readonly config?: string;
  readonly genesis?: string;
  readonly dataDirectory?: string;
  readonly masaDir?: string;
  readonly privKeyFile?: string;
  readonly blsKeyFile?: string;
  readonly listen?: readonly string[];
  readonly port?: number;
  readonly announce?: readonly string[];
  readonly bootstrap?: readonly string[];
  readonly bootnodes?: readonly string[];
  readonly submission?: 'open' | 'allow-list' | 'staked';
  readonly allow?: readonly string[];
  readonly join?: 'snapshot' | 'genesis';
  readonly baseTimeout?: number;
  readonly logLevel?: NonNullable<ConfigOverlay['log']>['level'];
  readonly logFilepath?: string;
  readonly migrate?: true;
  readonly untilInputEnds?: true;
}

const EXAMPLES = `
Settings come from the configuration file, then the environment, then these flags, each over the one before.
docs/configuration.md lists them all, with the names that masa-oracle users know.

A node with an empty data directory joins first: it takes a snapshot of the state from the peers that it knows, checks
every part against the genesis, and goes on with the blocks behind it ("join" in the configuration; --join genesis takes
every block instead). "hotledger status" shows how far it is; a start after an interruption goes on where it stopped.

Examples:
  hotledger start --config ./net/validator-1/config.json
  MASA_DIR=/var/lib/masa HOTLEDGER_GENESIS=/etc/masa/genesis.json BOOTNODES=/dns/v1.example.org/tcp/4001/p2p/12D3... \\
      hotledger start --log-level debug

SIGINT or SIGTERM stops it cleanly; a kill -9 loses nothing that was acknowledged.`;

export function startCommand(terminal: Terminal): Command {
  const command = new Command('start')
    .summary('run a validator or an observer')
    .description('Runs one node in the foreground. It is a validator when it has a BLS key file, else an observer.')
    .option('-c, --config <file>', 'configuration file (default: $HOTLEDGER_CONFIG)')
    .option('--genesis <file>', 'genesis file')
    .option('--data-directory <dir>', 'where the ledger is kept')
    .option('--masaDir <dir>', 'a directory with masa_oracle_key, under which the ledger is kept as data/')
    .option('--privKeyFile <file>', 'identity key file')
    .option('--bls-key-file <file>', 'BLS key file of a validator')
    .option('--listen <addr>', 'multiaddr to listen on; repeatable', gathered)
    .option('--port <port>', 'the same, for all of IPv4: /ip4/0.0.0.0/tcp/PORT', wholeNumber(0, 65_535))
    .option('--announce <addr>', 'multiaddr to tell others; repeatable', gathered)
    .option('--bootstrap <addr>', 'multiaddr of a peer to start from; repeatable', gathered)
    .addOption(new Option('--bootnodes <addrs>', 'the same').argParser(gathered).hideHelp())
    .addOption(new Option('--submission <policy>', 'who may submit').choices(['open', 'allow-list', 'staked']))
    .option('--allow <peerid>', 'peer id that may submit under allow-list; repeatable', gathered)
    .addOption(new Option('--join <from>', 'where an empty directory begins').choices(['snapshot', 'genesis']))
    .option('--base-timeout <ms>', 'timer of a consensus round, milliseconds', wholeNumber(50, 60_000))
    .option('--log-level <level>', 'trace, debug, info, warn, error, fatal or silent')
    .option('--log-filepath <file>', 'append the log to this file (default: standard output)')
    .addOption(new Option('--logLevel <level>', 'the same as --log-level').hideHelp())
    .addOption(new Option('--logFilePath <file>', 'the same as --log-filepath').hideHelp())
    .option('--migrate', 'first bring an older data directory to the layout of this version, with a backup')
    .addOption(new Option('--until-input-ends', 'stop when standard input ends, as when the parent dies').hideHelp())
    .addHelpText('after', EXAMPLES)
    .action((options: Options) => start(options, terminal));
  for (const { flag, instead } of RETIRED_SETTINGS) retire(command, flag, instead);
  retire(command, '--privateKey', 'other users of the machine could read it; put it in a file (--privKeyFile)');
  return command;
}

/** A flag that masa-oracle had: refused with what takes its place, because whoever typed it expects an effect. */
function retire(command: Command, flag: string, instead: string): void {
  const option = new Option(`${flag} [value]`).hideHelp();
  command.addOption(option).on(`option:${option.name()}`, () => {
    throw codedError('usage', `${flag} is not a setting of hotledger: ${instead}`);
  });
}

async function start(options: Options, terminal: Terminal): Promise<void> {
  const config = await configOf(
    options.config ?? terminal.environment['HOTLEDGER_CONFIG'],
    flagOverlay(options),
    terminal,
  );
  if (options.migrate === true) await migrateFirst(config.dataDirectory, terminal);
  // What a running node needs costs several hundred milliseconds to import; help and mistakes are answered without.
  const { runNode } = await import('../node/run.ts');
  const onJoining = terminal.interactive && config.log.file !== undefined ? joiningBar() : undefined;
  await runNode(config, { untilInputEnds: options.untilInputEnds === true, onJoining });
}

/** A directory that is not there yet has the layout of this version from its beginning. */
async function migrateFirst(dataDirectory: string, terminal: Terminal): Promise<void> {
  try {
    const { steps, to } = await migrateDirectory(dataDirectory, 'up', { backup: true }, terminal);
    for (const { step } of steps) terminal.err(`hotledger: migrated ${step}`);
    if (steps.length > 0) terminal.err(`hotledger: the data directory has layout ${to} now`);
  } catch (error) {
    if (!(error instanceof CodedError) || !['store-missing', 'store-empty'].includes(error.code)) throw error;
  }
}

function flagOverlay(options: Options): ConfigOverlay {
  const { masaDir, port } = options;
  const overlay: Record<string, unknown> = {
    genesis: options.genesis,
    dataDirectory: options.dataDirectory ?? (masaDir === undefined ? undefined : `${masaDir}/data`),
    identityKeyFile: options.privKeyFile ?? (masaDir === undefined ? undefined : `${masaDir}/masa_oracle_key`),
    blsKeyFile: options.blsKeyFile,
    listen: options.listen ?? (port === undefined ? undefined : [`/ip4/0.0.0.0/tcp/${port}`]),
    announce: options.announce,
    bootstrap: options.bootstrap ?? options.bootnodes,
    submission: present({ policy: options.submission, allow: options.allow }),
    join: present({ from: options.join }),
    pacemaker: present({ baseTimeoutMs: options.baseTimeout }),
    log: present({ level: options.logLevel, file: options.logFilepath }),
  };
  return present(overlay) ?? {};
}

/** Without undefined members; undefined when nothing is left. */
function present<T extends object>(values: T): Partial<T> | undefined {
  const entries = Object.entries(values).filter(([, value]) => value !== undefined);
  return entries.length === 0 ? undefined : (Object.fromEntries(entries) as Partial<T>);
}
