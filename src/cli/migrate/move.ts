/** `hotledger migrate up` and `hotledger migrate down`. */
import { Command } from 'commander';
import type { MigrationReport } from '../../node/migrate/migrate.ts';
import type { Direction } from '../../node/migrate/run-step.ts';
import { dataDirectoryOf, wholeNumber, withNodeChoice, type NodeChoice } from '../options.ts';
import { durationText, megabytes, printFacts, printJson, type Fact } from '../print.ts';
import type { Terminal } from '../terminal.ts';
import { migrationProgress } from './progress.ts';

interface Options extends NodeChoice {
  readonly to?: number;
  readonly backup: boolean;
  readonly json?: true;
}

const AFTER_UP = `
The store is backed up first, beside itself, as "ledger.layout-N": its tables are hard links, which take no room until
LevelDB replaces them. Remove the backup when the node has run for a while. A validator that has run since must not go
back to it (its safety record is older than what it signed): "hotledger migrate down" keeps the record.

Example:
  hotledger migrate up --config ./net/validator-1/config.json`;

const AFTER_DOWN = `
For going back to an older version of hotledger, with all that was written since. Refused where something would be lost.

Example:
  hotledger migrate down --to 1 --config ./net/validator-1/config.json`;

const MAX_LAYOUT = 1_000_000;

export function upCommand(terminal: Terminal): Command {
  return moveCommand('up', terminal)
    .summary('migrate to the layout of this version')
    .description('Brings the data directory of a stopped node to the layout of this version, or goes on with that.')
    .option('--to <layout>', 'the layout to end at (default: that of this version)', wholeNumber(1, MAX_LAYOUT))
    .addHelpText('after', AFTER_UP);
}

export function downCommand(terminal: Terminal): Command {
  return moveCommand('down', terminal)
    .summary('go back to an older layout')
    .description('Takes the data directory of a stopped node back to an older layout, or goes on with that.')
    .option('--to <layout>', 'the layout to end at (default: the one before)', wholeNumber(1, MAX_LAYOUT))
    .addHelpText('after', AFTER_DOWN);
}

function moveCommand(direction: Direction, terminal: Terminal): Command {
  return withNodeChoice(new Command(direction))
    .option('--no-backup', 'leave the backup out')
    .option('--json', 'print JSON')
    .action((options: Options) => move(direction, options, terminal));
}

async function move(direction: Direction, options: Options, terminal: Terminal): Promise<void> {
  const dataDirectory = await dataDirectoryOf(options, terminal);
  const report = await migrateDirectory(dataDirectory, direction, options, terminal);
  if (options.json) printJson(terminal, report);
  else tell(report, terminal);
}

/** With progress on standard error. */
export async function migrateDirectory(
  dataDirectory: string,
  direction: Direction,
  { backup, json, to }: Omit<Options, keyof NodeChoice>,
  terminal: Terminal,
): Promise<MigrationReport> {
  const { migrate } = await import('../../node/migrate/migrate.ts');
  const progress = migrationProgress(terminal, json === true);
  try {
    const target = to === undefined ? {} : { to };
    return await migrate(dataDirectory, { direction, ...target, backup, onProgress: progress.show });
  } finally {
    progress.end();
  }
}

function tell({ backup, from, steps, to }: MigrationReport, terminal: Terminal): void {
  if (steps.length === 0) {
    terminal.out(`layout ${from}: nothing to do`);
    return;
  }
  const kept: readonly Fact[] =
    backup === null
      ? []
      : [
          [
            'backup',
            `${backup.directory} (${megabytes(backup.bytes)}, of which ${megabytes(backup.copiedBytes)} copied)`,
          ],
        ];
  printFacts(terminal, [
    ...kept,
    ...steps.map(({ batches, records, resumed, seconds, step }) => {
      const again = resumed ? 'resumed, ' : '';
      return [step, `${again}${records} records, ${batches} batches, ${durationText(seconds * 1000)}`] as const;
    }),
    ['layout', to],
  ]);
}
