/** `hotledger migrate dry-run`: the migration on a clone that is thrown away. */
import { Command } from 'commander';
import type { Trial } from '../../node/migrate/migrate.ts';
import { dataDirectoryOf, positiveDuration, wholeNumber, withNodeChoice, type NodeChoice } from '../options.ts';
import { durationText, printFacts, printJson } from '../print.ts';
import type { Terminal } from '../terminal.ts';
import { migrationProgress } from './progress.ts';

interface Options extends NodeChoice {
  readonly down?: true;
  readonly to?: number;
  readonly within: number;
  readonly json?: true;
}

const EXAMPLES = `
The clone is made beside the store and shares its tables, so it takes little room. What is done in the time given is
real: read, written, and, where it comes to the end, checked. The rest is estimated from it.

Examples:
  hotledger migrate dry-run --config ./net/validator-1/config.json
  hotledger migrate dry-run --within 1h --data ./net/validator-1/data --json`;

const MAX_LAYOUT = 1_000_000;

export function dryRunCommand(terminal: Terminal): Command {
  return withNodeChoice(new Command('dry-run'))
    .summary('try a migration on a clone, and say how long it takes')
    .description('Makes the migration on a clone of the store, for a while, and says how long all of it takes.')
    .option('--down', 'the way back')
    .option('--to <layout>', 'the layout to end at', wholeNumber(1, MAX_LAYOUT))
    .option('--within <duration>', 'time for the trial', positiveDuration, 10_000)
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action((options: Options) => dryRun(options, terminal));
}

async function dryRun(options: Options, terminal: Terminal): Promise<void> {
  const { tryMigration } = await import('../../node/migrate/migrate.ts');
  const dataDirectory = await dataDirectoryOf(options, terminal);
  const progress = migrationProgress(terminal, options.json === true);
  let trial: Trial;
  try {
    trial = await tryMigration(dataDirectory, {
      direction: options.down === true ? 'down' : 'up',
      ...(options.to === undefined ? {} : { to: options.to }),
      limitMs: options.within,
      onProgress: progress.show,
    });
  } finally {
    progress.end();
  }
  if (options.json) printJson(terminal, trial);
  else tell(trial, terminal);
}

function tell({ estimatedSeconds, from, steps, to, unfinished, untried }: Trial, terminal: Terminal): void {
  if (steps.length === 0 && unfinished === null) {
    terminal.out(`layout ${from}: nothing to do`);
    return;
  }
  printFacts(terminal, [
    ['from layout', from],
    ['to layout', to],
    ...steps.map(
      ({ records, seconds, step }) => [step, `${records} records, ${durationText(seconds * 1000)}, checked`] as const,
    ),
    ...(unfinished === null
      ? []
      : [[unfinished.step, `${unfinished.records} of ${unfinished.total} records when the time was over`] as const]),
    ...untried.map((step) => [step, 'not tried'] as const),
    ['takes about', durationText(estimatedSeconds * 1000)],
    ['changed', 'nothing'],
  ]);
}
