/** `hotledger snapshot ...`: one file a subcommand, in `snapshot/`. */
import { Command } from 'commander';
import { createCommand } from './snapshot/create.ts';
import { exportCommand } from './snapshot/export.ts';
import { listCommand } from './snapshot/list.ts';
import { restoreCommand } from './snapshot/restore.ts';
import { verifyCommand } from './snapshot/verify.ts';
import type { Terminal } from './terminal.ts';

const EXAMPLES = `
A snapshot is the whole state at a block, in chunks that are each checked against the state root that a quorum signed. Whoever has
the genesis file can check one, wherever it came from. Members of a Raft cluster have "hotledger raft snapshot" instead.

Examples:
  hotledger snapshot create --config ./net/observer/config.json
  hotledger snapshot export --config ./net/observer/config.json ledger.snapshot
  hotledger snapshot restore --config ./net/new/config.json ledger.snapshot`;

export function snapshotCommand(terminal: Terminal): Command {
  const command = new Command('snapshot')
    .summary('make, check, carry and restore snapshots of the state')
    .description('Commands about snapshots of the state.')
    .addHelpText('after', EXAMPLES);
  for (const make of [createCommand, listCommand, verifyCommand, exportCommand, restoreCommand]) {
    command.addCommand(make(terminal));
  }
  return command;
}
