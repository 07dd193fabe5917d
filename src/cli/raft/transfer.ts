/** `hotledger raft transfer`: leadership goes to another server, without an election timeout in between. */
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
  hotledger raft transfer n2 --config ./net/validator-1/config.json`;

export function transferCommand(terminal: Terminal): Command {
  return withNodeChoice(
    new Command('transfer')
      .summary('hand leadership to another server')
      .description('Hands leadership to the server that is named, else to the voter with the longest log.')
      .argument('[id]', 'id of the server that is to lead'),
  )
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action((id: string | undefined, options: Options) => transfer(id ?? null, options, terminal));
}

async function transfer(to: string | null, options: Options, terminal: Terminal): Promise<void> {
  const { leader } = await new ControlClient(await controlSocketOf(options, terminal)).raftTransfer(to);
  if (options.json) printJson(terminal, { leader });
  else printFacts(terminal, [['leader', leader ?? 'another one']]);
}
