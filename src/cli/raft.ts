/** `hotledger raft`: what an operator sees of a Raft cluster and does with it, one file a command. */
import { Command } from 'commander';
import { baseCommand } from './raft/base.ts';
import { joinCommand } from './raft/join.ts';
import { listCommand } from './raft/list.ts';
import { addNonvoterCommand, addVoterCommand, demoteCommand, removeCommand } from './raft/membership.ts';
import { recoverCommand } from './raft/recover.ts';
import { snapshotCommand } from './raft/snapshot.ts';
import { statusCommand } from './raft/status.ts';
import { transferCommand } from './raft/transfer.ts';
import type { Terminal } from './terminal.ts';

const EXAMPLES = `
All but "recover" and "list sign" ask a running node on this machine, over the control socket in its data directory.
Changes of the cluster are made by its leader: a server that does not lead names it.

Examples:
  hotledger raft status --config ./net/validator-1/config.json
  hotledger raft add-voter n4 10.0.0.4:4101 --config ./net/validator-1/config.json`;

export function raftCommand(terminal: Terminal): Command {
  const command = new Command('raft')
    .summary('see and change a Raft cluster')
    .description('Commands for a member of a Raft cluster.')
    .addHelpText('after', EXAMPLES);
  const commands = [
    statusCommand,
    addVoterCommand,
    addNonvoterCommand,
    demoteCommand,
    removeCommand,
    transferCommand,
    snapshotCommand,
    baseCommand,
    joinCommand,
    listCommand,
    recoverCommand,
  ];
  for (const make of commands) command.addCommand(make(terminal));
  return command;
}
