/** `hotledger raft base`: the ledger begins. */
import { Command } from 'commander';
import { ControlClient } from '../../node/control-client.ts';
import { controlSocketOf, withNodeChoice, type NodeChoice } from '../options.ts';
import { printFacts, printJson } from '../print.ts';
import type { Terminal } from '../terminal.ts';

interface Options extends NodeChoice {
  readonly json?: true;
}

const EXAMPLES = `
A Go server in the cluster takes part in none of it: replace them all before, one at a time. There is no way back.

Example:
  hotledger raft base --config ./net/validator-1/config.json`;

export function baseCommand(terminal: Terminal): Command {
  return withNodeChoice(
    new Command('base')
      .summary('begin the ledger, once no Go server votes any more')
      .description('Writes BASE into the log: from then on each command makes a block, the same on every server.'),
  )
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action((options: Options) => base(options, terminal));
}

async function base(options: Options, terminal: Terminal): Promise<void> {
  const { index } = await new ControlClient(await controlSocketOf(options, terminal)).raftBase();
  if (options.json) printJson(terminal, { index });
  else printFacts(terminal, [['base', `entry ${index}`]]);
}
