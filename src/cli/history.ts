/** `hotledger history`: what happened to a node. */
import { Command } from 'commander';
import { MAX_HISTORY_PAGE } from '../projections/node-history.ts';
import {
  DEFAULT_HISTORY_LIMIT,
  historyQuery,
  type HistoryReport,
  type ReportedEntry,
} from '../node/projections/history-report.ts';
import { peerIdArgument, wholeNumber, withNodeChoice, type NodeChoice } from './options.ts';
import { withOwnLedger } from './own-ledger.ts';
import { printJson } from './print.ts';
import type { Terminal } from './terminal.ts';

interface Options extends NodeChoice {
  readonly limit: number;
  readonly before?: string;
  readonly json?: true;
}

const EXAMPLES = `
Newest first: when the node joined and left, its addresses, versions and capabilities, its stake, its removal, its worker
timeout. Heartbeats between two other things are one line with their count. Asks the node on this machine, whose word it
is; where it does not run, its data directory is read.

Examples:
  hotledger history 16Uiu2HAm... --config .devnet/observer/config.json
  hotledger history 16Uiu2HAm... --limit 10 --before 5120 --json | jq .next`;

export function historyCommand(terminal: Terminal): Command {
  return withNodeChoice(
    new Command('history')
      .summary('what happened to a node, with heights and times')
      .argument('<peerid>', 'the node, base58 or CIDv1', peerIdArgument),
  )
    .option('--limit <n>', 'at most so many entries', wholeNumber(1, MAX_HISTORY_PAGE), DEFAULT_HISTORY_LIMIT)
    .option('--before <height>', 'entries before this height, or before the position that the last page ended at')
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action((peerId: string, options: Options) => history(peerId, options, terminal));
}

async function history(peerId: string, options: Options, terminal: Terminal): Promise<void> {
  const query = historyQuery(peerId, options.limit, options.before);
  const report = await withOwnLedger(options, terminal, (ledger) => ledger.history(query));
  if (options.json) printJson(terminal, report);
  else tell(report, terminal);
}

function tell({ entries, height, next }: HistoryReport, terminal: Terminal): void {
  for (const entry of entries) terminal.out(line(entry));
  if (entries.length === 0) terminal.err(`nothing, up to height ${height}`);
  if (next !== null) terminal.err(`more: --before ${next}`);
}

function line(entry: ReportedEntry): string {
  const time = new Date(entry.time * 1000).toISOString().replace('.000Z', 'Z');
  return `${time}  ${entry.height}  ${entry.kind.padEnd(20)}  ${detail(entry)}`.trimEnd();
}

function detail(entry: ReportedEntry): string {
  switch (entry.kind) {
    case 'joined':
    case 'imported':
    case 'carried':
      return [entry.version, ...entry.capabilities, ...entry.multiaddrs].join(' ');
    case 'addressesChanged':
      return entry.multiaddrs.join(' ');
    case 'capabilitiesDeclared':
      return entry.capabilities.join(' ');
    case 'versionChanged':
      return entry.version;
    case 'heard':
      return `${entry.count} times, until height ${entry.untilHeight}, longest silence ${entry.longestSilence} s`;
    case 'stakeChanged':
      return `${entry.isStaked ? 'staked' : 'not staked'}, ${entry.reference}`;
    case 'workerTimeoutSet':
      return entry.workerTimeout === null ? 'cleared' : new Date(entry.workerTimeout * 1000).toISOString();
    case 'removed':
      return entry.reason ?? '';
    case 'left':
      return '';
  }
}
