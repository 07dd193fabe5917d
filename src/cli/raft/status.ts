/** `hotledger raft status`: what a member knows of its cluster. */
import { Command } from 'commander';
import { ControlClient } from '../../node/control-client.ts';
import type { RaftReport, ServerReport } from '../../node/raft/operations.ts';
import { CommandFailure, EXIT } from '../exit.ts';
import { controlSocketOf, withNodeChoice, type NodeChoice } from '../options.ts';
import { durationText, megabytes, printFacts, printJson } from '../print.ts';
import type { Terminal } from '../terminal.ts';

interface Options extends NodeChoice {
  readonly json?: true;
}

const EXAMPLES = `
A leader shows how far each of the others is. Exits with 1 when another history has shown itself.

Example:
  hotledger raft status --config ./net/validator-1/config.json --json | jq .commitIndex`;

export function statusCommand(terminal: Terminal): Command {
  return withNodeChoice(
    new Command('status')
      .summary('show the servers of the cluster, its leader and its log')
      .description('Asks a running node on this machine, over the control socket in its data directory.'),
  )
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action((options: Options) => status(options, terminal));
}

async function status(options: Options, terminal: Terminal): Promise<void> {
  const report = await new ControlClient(await controlSocketOf(options, terminal)).raftReport();
  if (options.json) printJson(terminal, report);
  else tell(report, terminal);
  if (report.foreign !== null) throw new CommandFailure(EXIT.error, report.foreign, true);
}

function tell(report: RaftReport, terminal: Terminal): void {
  const { configurationIndex, history, isConfigurationCommitted, leader, list, self, snapshot } = report;
  const beginning = history === null ? '-' : `${history.hash}${history.shared ? '' : ', shared with nobody yet'}`;
  printFacts(terminal, [
    ['server', `${self.id} at ${self.address}`],
    ['role', report.role],
    ['term', report.term],
    ['leader', leader === null ? 'nobody' : `${leader.id} at ${leader.address}`],
    ['log', `${report.firstIndex} to ${report.lastIndex}, on disk to ${report.durableIndex}`],
    ['committed', report.commitIndex],
    ['applied', report.appliedIndex],
    ['snapshot', snapshot === null ? 'none' : `to ${snapshot.lastIndex}, ${megabytes(snapshot.sizeBytes)}`],
    ['history', beginning],
    ['waiting', `${report.proposalsWaiting} proposals`],
    ['operator list', list === null ? 'none' : `version ${list.version}, ${list.servers.length} servers`],
    ['configuration', `entry ${configurationIndex}${isConfigurationCommitted ? '' : ', not committed yet'}`],
    ...report.servers.map((server) => [`  ${server.id}`, serverText(server, report)] as const),
  ]);
}

function serverText({ address, follower, id, suffrage }: ServerReport, { leader, self }: RaftReport): string {
  const parts = [`${suffrage} at ${address}`];
  if (id === leader?.id) parts.push('leads');
  if (id === self.id) parts.push('this server');
  if (follower !== null) {
    const heard = follower.heardAgoMs === null ? 'not heard yet' : `heard ${durationText(follower.heardAgoMs)} ago`;
    parts.push(`has ${follower.matchIndex}`, follower.state, heard);
  }
  return parts.join(', ');
}
