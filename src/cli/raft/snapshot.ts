/** `hotledger raft snapshot`: now, not when the policy says. */
import { Command } from 'commander';
import { ControlClient } from '../../node/control-client.ts';
import { controlSocketOf, withNodeChoice, type NodeChoice } from '../options.ts';
import { printFacts, printJson } from '../print.ts';
import type { Terminal } from '../terminal.ts';

interface Options extends NodeChoice {
  readonly json?: true;
}

const EXAMPLES = `
Example:
  hotledger raft snapshot --config ./net/validator-1/config.json`;

export function snapshotCommand(terminal: Terminal): Command {
  return withNodeChoice(
    new Command('snapshot')
      .summary("write a snapshot of this server's state, and cut its log")
      .description(
        'Writes a snapshot of what this server has applied, and cuts the log behind it. Each server has its own.',
      ),
  )
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action((options: Options) => snapshot(options, terminal));
}

async function snapshot(options: Options, terminal: Terminal): Promise<void> {
  const taken = await new ControlClient(await controlSocketOf(options, terminal)).raftSnapshot();
  if (options.json) printJson(terminal, taken);
  else
    printFacts(terminal, [
      ['snapshot', `to entry ${taken.lastIndex}${taken.isNew ? '' : ', which was there already'}`],
    ]);
}
