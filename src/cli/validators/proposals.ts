/** `hotledger validators proposals`: what is open. */
import { Command } from 'commander';
import { ControlClient } from '../../node/control-client.ts';
import { quorumOf } from '../../qc/validator-set.ts';
import { controlSocketOf, withNodeChoice, type NodeChoice } from '../options.ts';
import { printFacts, printJson } from '../print.ts';
import type { Terminal } from '../terminal.ts';
import { actionText } from './propose.ts';

interface Options extends NodeChoice {
  readonly json?: true;
}

export function proposalsCommand(terminal: Terminal): Command {
  return withNodeChoice(
    new Command('proposals')
      .summary('list what validators have proposed')
      .description('Lists the open proposals that a node on this machine knows of.'),
  )
    .option('--json', 'print JSON')
    .action((options: Options) => proposals(options, terminal));
}

async function proposals(options: Options, terminal: Terminal): Promise<void> {
  const status = await new ControlClient(await controlSocketOf(options, terminal)).status();
  if (options.json) {
    printJson(terminal, status.proposals);
    return;
  }
  if (status.proposals.length === 0) terminal.out('no proposal is open');
  const quorum = quorumOf(status.validators);
  for (const { action, approvedBy, expires, id, proposer } of status.proposals) {
    printFacts(terminal, [
      ['proposal', id],
      ['action', actionText(action)],
      ['by', proposer],
      ['approvals', `${approvedBy.length}, ${quorum} are needed`],
      ['void after', new Date(expires * 1000).toISOString()],
    ]);
  }
}
