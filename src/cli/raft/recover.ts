/** `hotledger raft recover`: a majority is lost for ever. */
import { Command } from 'commander';
import { codedError } from '../../base/result.ts';
import { configFileOf, configOf, CONFIG_OPTION } from '../options.ts';
import { printFacts, printJson } from '../print.ts';
import type { Terminal } from '../terminal.ts';
import { gatheredServers, type NamedServer } from './servers.ts';

interface Options {
  readonly config?: string;
  readonly server: readonly NamedServer[];
  readonly json?: true;
}

const EXAMPLES = `
Entries that were not committed count as committed from then on, and what only the lost servers held is lost: choose the
server with the longest log ("hotledger raft status" shows lastIndex and its term). Stop it, recover it, start it, start the
others on empty data directories, and add each ("hotledger raft add-voter"). The whole data directory is copied first.

Example:
  hotledger raft recover --server n2=10.0.0.2:4101 --config ./net/validator-2/config.json`;

export function recoverCommand(terminal: Terminal): Command {
  return new Command('recover')
    .summary('go on with the servers that are left, when a majority is lost')
    .description('Makes a snapshot with the servers that are named of what a stopped server holds. The last resort.')
    .requiredOption('--server <id=address>', 'a voter of the new cluster; repeatable', gatheredServers)
    .option(...CONFIG_OPTION)
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action((options: Options) => recover(options, terminal));
}

async function recover(options: Options, terminal: Terminal): Promise<void> {
  const config = await configOf(configFileOf(options, terminal), {}, terminal);
  // The ledger and its store cost several hundred milliseconds to import; help and mistakes are answered without.
  const { recoverMember } = await import('../../node/raft/recover-member.ts');
  if (config.raft === undefined) throw codedError('not-a-raft-node', 'the configuration has no section "raft"');
  const { adopted, backup, snapshot } = await recoverMember(config, options.server);
  const { lastIndex } = snapshot;
  if (options.json) return printJson(terminal, { backup, lastIndex, adopted, servers: options.server });
  printFacts(terminal, [
    ['copied to', backup],
    ['recovered', `entries up to ${lastIndex}`],
    ['taken as committed', `${adopted} entries that were not known to be`],
    ...options.server.map(({ address, id }) => ['voter', `${id} at ${address}`] as const),
  ]);
}
