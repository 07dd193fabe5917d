/** `hotledger validators approve`: this validator's approval of a proposal. */
import { Command } from 'commander';
import { codedError } from '../../base/result.ts';
import { CONFIG_OPTION, positiveDuration } from '../options.ts';
import { printFacts, printJson } from '../print.ts';
import type { Terminal } from '../terminal.ts';
import { cast, validatorOf, type BallotChoice } from './ballot.ts';
import { actionText, checkKnown } from './propose.ts';

const EXAMPLES = `
Look at it first: "hotledger validators proposals" lists what is open. A new event schema is approved only by a validator
whose program knows it.

Example:
  hotledger validators approve 5f0c... --config ./net/validator-2/config.json`;

export function approveCommand(terminal: Terminal): Command {
  return new Command('approve')
    .summary('approve a proposal of another validator')
    .description('Approves an open proposal, by its id or the first eight characters of it or more.')
    .argument('<proposal>', 'id of the proposal')
    .option(...CONFIG_OPTION)
    .option('--timeout <time>', 'give up after this time', positiveDuration, 30_000)
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action((proposal: string, options: BallotChoice) => approve(proposal, options, terminal));
}

async function approve(named: string, options: BallotChoice, terminal: Terminal): Promise<void> {
  const validator = await validatorOf(options, terminal);
  if (!/^[0-9a-f]{8,64}$/.test(named)) throw codedError('usage', 'a proposal is named by 8 to 64 hexadecimal digits');
  const found = validator.status.proposals.filter(({ id }) => id.startsWith(named));
  const [proposal] = found;
  if (proposal === undefined || found.length > 1) {
    throw codedError('proposal-unknown', 'not one open proposal has this id', { proposal: named, found: found.length });
  }
  if (proposal.action.kind === 'schemaActivated') checkKnown(validator, proposal.action.schema);
  const approval = await cast(validator, { type: 'approved', proposal: proposal.id }, options.timeout);
  if (options.json) {
    printJson(terminal, { approved: proposal.id, action: proposal.action, by: approval.by });
    return;
  }
  printFacts(terminal, [
    ['approved', actionText(proposal.action)],
    ['proposal', proposal.id],
  ]);
}
