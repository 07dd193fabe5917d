/** `hotledger migrate status`: the layout of a data directory, and what there is to do. */
import { Command } from 'commander';
import { CommandFailure, EXIT } from '../exit.ts';
import { dataDirectoryOf, withNodeChoice, type NodeChoice } from '../options.ts';
import { printFacts, printJson } from '../print.ts';
import type { Terminal } from '../terminal.ts';

interface Options extends NodeChoice {
  readonly json?: true;
}

const EXAMPLES = `
Exits with 1 where this version does not open the directory as it is.

Example:
  hotledger migrate status --config ./net/validator-1/config.json`;

export function migrationStatusCommand(terminal: Terminal): Command {
  return withNodeChoice(new Command('status'))
    .summary('the layout of a data directory')
    .description('Says which layout a data directory has and which migrations are in it. The node may run.')
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action((options: Options) => status(options, terminal));
}

async function status(options: Options, terminal: Terminal): Promise<void> {
  const { migrationStatus } = await import('../../node/migrate/migrate.ts');
  const found = await migrationStatus(await dataDirectoryOf(options, terminal));
  if (options.json) printJson(terminal, found);
  else {
    printFacts(terminal, [
      ['layout', found.layout],
      ['of this version', found.newest],
      ...found.steps.map(({ id, state, title }) => [id, `${state}: ${title}`] as const),
    ]);
  }
  if (found.refusal !== null) throw new CommandFailure(EXIT.error, found.refusal, true);
}
