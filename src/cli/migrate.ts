/** `hotledger migrate`: the layout of a data directory, one file a command. */
import { Command } from 'commander';
import { downCommand, upCommand } from './migrate/move.ts';
import { migrationStatusCommand } from './migrate/status.ts';
import { dryRunCommand } from './migrate/dry-run.ts';
import type { Terminal } from './terminal.ts';

const EXAMPLES = `
"up" and "down" want the node stopped; "status" and "dry-run" change nothing. A migration that was cut off goes on with
the same command. docs/operations/upgrade.md is the whole procedure.

Examples:
  hotledger migrate status --data ./net/validator-1/data
  hotledger migrate dry-run --config ./net/validator-1/config.json
  hotledger migrate up --config ./net/validator-1/config.json`;

export function migrateCommand(terminal: Terminal): Command {
  const command = new Command('migrate')
    .summary('bring a data directory to the layout of this version')
    .description('Migrations of the layout in which a data directory is kept.')
    .addHelpText('after', EXAMPLES);
  for (const make of [migrationStatusCommand, dryRunCommand, upCommand, downCommand])
    command.addCommand(make(terminal));
  return command;
}
