/** `hotledger validators propose schema`: a new event schema, from a height that leaves the operators time to upgrade. */
import { Command } from 'commander';
import { codedError } from '../../base/result.ts';
import { MAX_ACTIVATION_NOTICE, MIN_ACTIVATION_NOTICE } from '../../ledger/event-schema-at.ts';
import type { QuorumAction } from '../../ledger/event-schema.ts';
import { CONFIG_OPTION, positiveDuration, wholeNumber } from '../options.ts';
import { printFacts, printJson } from '../print.ts';
import type { Terminal } from '../terminal.ts';
import { cast, validatorOf, type BallotChoice, type Validator } from './ballot.ts';

interface Options extends BallotChoice {
  readonly in: number;
  readonly fromHeight?: number;
  readonly expires: number;
}

/** While the others look at the proposal and approve it, the chain goes on. */
const DEFAULT_NOTICE = 5_000;

const EXAMPLES = `
Propose it once enough validators run a program that knows the schema ("hotledger status" says so): those that do not stop
before that height. Give the others enough blocks to approve and to upgrade; ${MIN_ACTIVATION_NOTICE} must be left when the quorum is complete.

Example:
  hotledger validators propose schema 2 --in 5000 --config ./net/validator-1/config.json`;

export function proposeCommand(terminal: Terminal): Command {
  const command = new Command('propose')
    .summary('propose what a quorum of validators decides')
    .description('Proposes an action; the proposal is its approval by this validator.');
  command.addCommand(
    new Command('schema')
      .summary('propose that a new event schema begins at a height')
      .description('Proposes that blocks may hold events of a new schema from a height on.')
      .argument('<n>', 'the event schema, one more than the present', wholeNumber(2, 0xffff))
      .option(...CONFIG_OPTION)
      .option(
        '--in <blocks>',
        'blocks from the present one',
        wholeNumber(MIN_ACTIVATION_NOTICE, MAX_ACTIVATION_NOTICE),
        DEFAULT_NOTICE,
      )
      .option('--from-height <h>', 'the height itself', wholeNumber(1, Number.MAX_SAFE_INTEGER))
      .option('--expires <time>', 'void after this time from now', positiveDuration, 7 * 86_400_000)
      .option('--timeout <time>', 'give up after this time', positiveDuration, 30_000)
      .option('--json', 'print JSON')
      .addHelpText('after', EXAMPLES)
      .action((schema: number, options: Options) => proposeSchema(schema, options, terminal)),
  );
  return command;
}

async function proposeSchema(schema: number, options: Options, terminal: Terminal): Promise<void> {
  const validator = await validatorOf(options, terminal);
  checkKnown(validator, schema);
  const { status } = validator;
  const fromHeight = options.fromHeight ?? status.height + options.in;
  const action = { kind: 'schemaActivated', schema, fromHeight } as const;
  const proposal = await cast(
    validator,
    {
      type: 'proposed',
      action,
      epoch: status.epoch,
      replaces: status.schema.replaces,
      expires: Math.floor((Date.now() + options.expires) / 1000),
    },
    options.timeout,
  );
  if (options.json) {
    printJson(terminal, { proposal: proposal.id, action, by: proposal.by });
    return;
  }
  printFacts(terminal, [
    ['proposed', `event schema ${schema} from height ${fromHeight} on, ${fromHeight - status.height} blocks from here`],
    ['proposal', proposal.id],
    ['next', `each other validator: hotledger validators approve ${proposal.id}`],
  ]);
}

/** Whoever proposes or approves a schema says that its own validator knows it. @throws CodedError `schema-not-known` */
export function checkKnown({ status }: Validator, schema: number): void {
  const { known } = status.schema;
  if (schema <= known) return;
  throw codedError(
    'schema-not-known',
    `the validator on this machine does not know event schema ${schema}: upgrade it`,
    {
      schema,
      newest: known,
    },
  );
}

/** In words, for whoever is to approve it. */
export function actionText(action: QuorumAction): string {
  switch (action.kind) {
    case 'schemaActivated':
      return `event schema ${action.schema} from height ${action.fromHeight} on`;
    case 'stakeStatusChanged':
      return `${action.peerId} ${action.isStaked ? 'is' : 'is not'} staked, by ${action.reference}`;
    case 'nodeRemoved':
      return `${action.peerId} is removed: ${action.reason}`;
    case 'workerTimeoutSet':
      return `worker timeout of ${action.peerId}: ${action.workerTimeout}`;
    case 'parametersChanged':
      return `liveness window of ${action.parameters.livenessWindowSeconds} s`;
  }
}
