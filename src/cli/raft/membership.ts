/** `hotledger raft add-voter`, `add-nonvoter`, `demote`, `remove`: one server at a time comes, changes or goes. */
import { Command } from 'commander';
import { ControlClient } from '../../node/control-client.ts';
import type { RaftChange } from '../../node/raft/operations.ts';
import { withKeptList, type ListOptions } from './kept-list.ts';
import { controlSocketOf, withNodeChoice } from '../options.ts';
import { printFacts, printJson } from '../print.ts';
import type { Terminal } from '../terminal.ts';

interface Options extends ListOptions {
  readonly json?: true;
}

export function addVoterCommand(terminal: Terminal): Command {
  return addressed('add-voter', terminal)
    .summary('let a server vote, once it has caught up')
    .description(
      'Adds the server without a vote, waits until it holds the log, and promotes it. A server that is a voter already ' +
        'gets the new address.',
    )
    .addHelpText(
      'after',
      `
Example:
  hotledger raft add-voter n4 10.0.0.4:4101 --config ./net/validator-1/config.json`,
    );
}

export function addNonvoterCommand(terminal: Terminal): Command {
  return addressed('add-nonvoter', terminal)
    .summary('send the log to a server that does not vote')
    .description('Adds the server without a vote: it follows the log and counts for no majority.')
    .addHelpText(
      'after',
      `
Example:
  hotledger raft add-nonvoter n4 10.0.0.4:4101 --config ./net/validator-1/config.json`,
    );
}

export function demoteCommand(terminal: Terminal): Command {
  return named('demote', terminal)
    .summary('take the vote of a server, which goes on following')
    .description('Takes the vote of a server. It goes on following the log.');
}

export function removeCommand(terminal: Terminal): Command {
  return named('remove', terminal)
    .summary('remove a server from the cluster')
    .description(
      'Removes a server. A leader that removes itself leads until that is committed, and another one is elected.',
    );
}

function addressed(kind: 'add-voter' | 'add-nonvoter', terminal: Terminal): Command {
  return changing(
    new Command(kind)
      .argument('<id>', 'id of the server in the cluster')
      .argument('<address>', 'host:port where the others reach it'),
  ).action((id: string, address: string, options: Options) => change({ kind, id, address }, options, terminal));
}

function named(kind: 'demote' | 'remove', terminal: Terminal): Command {
  return changing(new Command(kind).argument('<id>', 'id of the server in the cluster')).action(
    (id: string, options: Options) => change({ kind, id }, options, terminal),
  );
}

function changing(command: Command): Command {
  return withNodeChoice(command)
    .option('--operator-key <file>', "operator's key: the signed list of the cluster is kept current with it")
    .option('--json', 'print JSON');
}

async function change(change: RaftChange, options: Options, terminal: Terminal): Promise<void> {
  const client = new ControlClient(await controlSocketOf(options, terminal));
  const { index } = await withKeptList(client, change, options, terminal, () => client.raftChange(change));
  if (options.json) printJson(terminal, { ...change, index });
  else printFacts(terminal, [['committed', `${change.kind} ${change.id}, entry ${index}`]]);
}
