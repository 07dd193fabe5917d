/** `hotledger export`: the ledger as lines, for other programs. */
import { Command, Option } from 'commander';
import { codedError } from '../base/result.ts';
import { EXPORT_FORMATS, type ExportFormat, type ExportQuery } from '../node/projections/export.ts';
import { wholeNumber, withNodeChoice, type NodeChoice } from './options.ts';
import { withOwnLedger } from './own-ledger.ts';
import type { Terminal } from './terminal.ts';

interface Options extends NodeChoice {
  readonly format: ExportFormat;
  readonly what: 'state' | 'events';
  readonly from?: number;
  readonly to?: number;
}

const EXAMPLES = `
Records are those of one height, however long it takes to write them while the node goes on; that height is told on
standard error. Names are those of masa-oracle; integers are digits, also those beyond 2^53. An event is printed as its
node signed it. Where the node does not run, its data directory is read. In csv, a text that a spreadsheet would take for
a formula, as a version may begin with "=", has ' before it; jsonl has every byte as it is.

Examples:
  hotledger export --config .devnet/observer/config.json > nodes.jsonl
  hotledger export --format csv --config .devnet/observer/config.json > nodes.csv
  hotledger export --what events --from 1000 --to 2000 --config ./me/config.json | jq -r .event.type`;

export function exportCommand(terminal: Terminal): Command {
  const height = wholeNumber(0, Number.MAX_SAFE_INTEGER);
  return withNodeChoice(new Command('export').summary('write the records, or the events, of a node on this machine'))
    .addOption(
      new Option('--format <format>', 'one JSON object a line, or RFC 4180').choices(EXPORT_FORMATS).default('jsonl'),
    )
    .addOption(
      new Option('--what <what>', 'the current records, or the events').choices(['state', 'events']).default('state'),
    )
    .option('--from <height>', 'with --what events: the first height', height)
    .option('--to <height>', 'with --what events: the last height', height)
    .addHelpText('after', EXAMPLES)
    .action((options: Options) => exportLedger(options, terminal));
}

async function exportLedger(options: Options, terminal: Terminal): Promise<void> {
  const query = queryOf(options);
  await withOwnLedger(options, terminal, async (ledger) => {
    const { height, text } = await ledger.export(query);
    const decoder = new TextDecoder();
    for await (const piece of text) {
      await terminal.stream(typeof piece === 'string' ? piece : decoder.decode(piece, { stream: true }));
    }
    terminal.err(query.what === 'state' ? `records as of height ${height}` : `events up to height ${height}`);
  });
}

function queryOf({ format, from, to, what }: Options): ExportQuery {
  if (from !== undefined && to !== undefined && from > to) {
    throw codedError('usage', '--from is the first height and --to the last one: it is below', { from, to });
  }
  if (what === 'events') return { what, format, from: from ?? null, to: to ?? null };
  if (from === undefined && to === undefined) return { what, format };
  throw codedError('usage', 'the records are those of the head: --from and --to go with --what events');
}
