/** `hotledger rebuild`: a running node makes its projections again, beside those that serve. */
import { Command } from 'commander';
import { ControlClient } from '../node/control-client.ts';
import { controlSocketOf, withNodeChoice, type NodeChoice } from './options.ts';
import { printJson } from './print.ts';
import type { Terminal } from './terminal.ts';

interface Options extends NodeChoice {
  readonly json?: true;
}

const EXAMPLES = `
Returns at once; "hotledger status" shows how far it is. The old rows serve reads until the new ones are at the head. A node
that was stopped or killed meanwhile goes on with it when it starts.

Examples:
  hotledger rebuild --config ./net/validator-1/config.json
  hotledger rebuild node-history statistics --config ./net/observer/config.json`;

export function rebuildCommand(terminal: Terminal): Command {
  return withNodeChoice(
    new Command('rebuild')
      .summary('let a running node make its projections again')
      .argument('[projections...]', 'which; all where none is named'),
  )
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action((names: readonly string[], options: Options) => rebuild(names, options, terminal));
}

async function rebuild(names: readonly string[], options: Options, terminal: Terminal): Promise<void> {
  const client = new ControlClient(await controlSocketOf(options, terminal));
  const requested = await client.rebuild(names);
  if (options.json) printJson(terminal, requested);
  else terminal.out(`rebuilding ${requested.projections.join(', ')}; "hotledger status" shows how far it is`);
}
