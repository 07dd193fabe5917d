/** `hotledger statistics`: how many nodes there are, of which kind, and what happened. */
import { Command } from 'commander';
import type { Activity, Day, NodeCounts } from '../projections/statistics.ts';
import { MAX_PERIODS, type StatisticsReport } from '../node/projections/statistics-report.ts';
import { wholeNumber, withNodeChoice, type NodeChoice } from './options.ts';
import { withOwnLedger } from './own-ledger.ts';
import { printFacts, printJson, type Fact } from './print.ts';
import type { Terminal } from './terminal.ts';

interface Options extends NodeChoice {
  readonly days: number;
  readonly epochs: number;
  readonly json?: true;
}

const DEFAULT_DAYS = 7;
const DEFAULT_EPOCHS = 1;

const EXAMPLES = `
Nodes with a record: how many are joined, staked, of which capability and version; events by type, in all and by day (UTC). A node
counts as joined until it says that it leaves. Asks the node on this machine, whose word it is; where it does not run, its
data directory is read.

Examples:
  hotledger statistics --config .devnet/observer/config.json
  hotledger statistics --days 30 --json | jq '.days[] | {day, events}'`;

export function statisticsCommand(terminal: Terminal): Command {
  return withNodeChoice(
    new Command('statistics').summary('how many nodes there are, of which kind, and what happened, in all and by day'),
  )
    .option('--days <n>', 'the newest days of which there are blocks', wholeNumber(0, MAX_PERIODS), DEFAULT_DAYS)
    .option('--epochs <n>', 'the newest epochs, with --json', wholeNumber(0, MAX_PERIODS), DEFAULT_EPOCHS)
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action((options: Options) => statistics(options, terminal));
}

async function statistics(options: Options, terminal: Terminal): Promise<void> {
  const { days, epochs } = options;
  const report = await withOwnLedger(options, terminal, (ledger) => ledger.statistics({ days, epochs }));
  if (options.json) printJson(terminal, report);
  else tell(report, terminal);
}

function tell(report: StatisticsReport, terminal: Terminal): void {
  const { blocks, days, height, nodes, types, versions } = report;
  printFacts(terminal, [
    ['height', height],
    ['nodes', nodesText(nodes)],
    ...nodes.capabilities.map(({ capability, count }): Fact => [`  ${capability}`, count]),
    ...versions.map(({ nodes: count, version }): Fact => [`  version ${version}`, count]),
    ['blocks', blocks],
    ['events', report.events],
    ...types.map(({ count, type }): Fact => [`  ${type}`, count]),
    ...days.map((day): Fact => [dateOf(day), `${activityText(day)}; at its end ${nodesText(day.nodes)}`]),
  ]);
}

function nodesText({ joined, left, records, staked }: NodeCounts): string {
  return `${records}: ${joined} joined, ${left} left, ${staked} staked`;
}

function activityText({ blocks, events, types }: Activity): string {
  const each = types.map(({ count, type }) => `${count} ${type}`).join(', ');
  return `${blocks} blocks, ${events} events${each === '' ? '' : ` (${each})`}`;
}

const MS_PER_DAY = 86_400_000;

function dateOf({ day }: Day): string {
  return new Date(day * MS_PER_DAY).toISOString().slice(0, 10);
}
