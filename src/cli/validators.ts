/** `hotledger validators`: what validators decide together, one file a command. */
import { Command } from 'commander';
import type { Terminal } from './terminal.ts';
import { approveCommand } from './validators/approve.ts';
import { proposalsCommand } from './validators/proposals.ts';
import { proposeCommand } from './validators/propose.ts';

const EXAMPLES = `
A proposal counts as its proposer's approval; with the approvals of a quorum it is done. All ask the running validator on
this machine, over the control socket in its data directory, and sign with its identity key.

Examples:
  hotledger validators propose schema 2 --in 5000 --config ./net/validator-1/config.json
  hotledger validators proposals --config ./net/validator-2/config.json
  hotledger validators approve 5f0c... --config ./net/validator-2/config.json`;

export function validatorsCommand(terminal: Terminal): Command {
  const command = new Command('validators')
    .summary('propose and approve what validators decide together')
    .description('Commands for the operator of a validator: decisions that take a quorum.')
    .addHelpText('after', EXAMPLES);
  for (const make of [proposeCommand, approveCommand, proposalsCommand]) command.addCommand(make(terminal));
  return command;
}
