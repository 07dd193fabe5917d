/** `hotledger replay`: everything again from the log, in a place of its own, and compared with what is kept. */
import { rm } from 'node:fs/promises';
import { availableParallelism, constants, getPriority, setPriority } from 'node:os';
import { join, resolve } from 'node:path';
import { Command, Option } from 'commander';
import { codedError } from '../base/result.ts';
import type { LedgerReplayReport } from '../node/replay.ts';
import { CATALOG } from '../projections/catalog.ts';
import type { Projection } from '../projections/projection.ts';
import { CommandFailure, EXIT } from './exit.ts';
import { wholeNumber, withNodeChoice } from './options.ts';
import { printJson } from './print.ts';
import { directoryOf, type DirectoryChoice } from './replay/directory.ts';
import { replayProgress } from './replay/progress.ts';
import { differences, tellReplay } from './replay/report.ts';
import type { Terminal } from './terminal.ts';

interface Options extends DirectoryChoice {
  readonly into?: string;
  readonly to?: number;
  readonly verify?: 'none' | 'seals' | 'all';
  readonly compare?: true;
  readonly swap?: true;
  readonly projection?: string;
  readonly signatures: boolean;
  readonly seals: boolean;
  readonly json?: true;
}

const EXAMPLES = `
A running node serves the blocks of its log and one moment of its state over its control socket; a directory that no
node has open is read as it is, a copied one too. An interrupted replay goes on where it stopped when the same command
is given again. A log whose old blocks were dropped is replayed from the oldest snapshot in the directory, and the report
says so. Exits with 6 when something differs.

Examples:
  hotledger replay --config ./net/validator-1/config.json --compare
  hotledger replay --data ./copy/data --genesis ./net/genesis.json --verify all --compare
  hotledger replay --config ./net/observer/config.json --to 120000 --into ./at-120000
  hotledger replay --config ./net/observer/config.json --projection node-data --verify none --swap`;

export function replayCommand(terminal: Terminal): Command {
  return withNodeChoice(
    new Command('replay')
      .summary('execute the whole log again and compare')
      .description(
        'Executes every block of the log again, checks seals, signatures and roots, and rebuilds state and projections in ' +
          'a place of their own. What the node serves is left alone.',
      ),
  )
    .option('--genesis <file>', 'with --data: the genesis file (default: genesis.json beside the data directory)')
    .option('--to <height>', 'the last block to replay (default: the head)', wholeNumber(0, Number.MAX_SAFE_INTEGER))
    .addOption(
      new Option(
        '--verify <what>',
        'none: roots alone; seals: also the seals of blocks; all: also the signatures of events (default: all)',
      ).choices(['none', 'seals', 'all']),
    )
    .option('--compare', 'compare state and projections with what is kept, byte for byte')
    .option('--projection <name>', `rebuild this one alone: ${CATALOG.map(({ name }) => name).join(', ')}`)
    .option('--swap', 'put rebuilt projections in place of those that serve, by one pointer each')
    .option('--into <dir>', 'rebuild here, and keep it (default: "replay" in the data directory, removed in the end)')
    .addOption(new Option('--no-signatures', 'deprecated: use --verify seals').hideHelp())
    .addOption(new Option('--no-seals', 'deprecated: use --verify none').hideHelp())
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action((options: Options) => replay(options, terminal));
}

async function replay(options: Options, terminal: Terminal): Promise<void> {
  if (options.swap && options.to !== undefined) throw codedError('usage', '--swap needs the head: leave out --to');
  const projections = chosen(options.projection);
  const { dataDirectory, genesisFile } = await directoryOf(options, terminal);
  const place = options.into === undefined ? join(dataDirectory, 'replay') : resolve(terminal.directory, options.into);
  const progress = replayProgress(terminal, options.json === true);
  const { replayLedger } = await import('../node/replay.ts');
  const { openSource } = await import('../node/replay/open-source.ts');
  const { readGenesisFile } = await import('../node/genesis-file.ts');
  const genesis = await readGenesisFile(genesisFile);
  const source = await openSource(dataDirectory);
  // Both share the machine's cores, and a round of consensus waits for nobody.
  const { PRIORITY_BELOW_NORMAL } = constants.priority;
  if (source.kind === 'running node') setPriority(Math.max(getPriority(), PRIORITY_BELOW_NORMAL));
  let report: LedgerReplayReport;
  try {
    report = await replayLedger({
      source,
      genesis,
      dataDirectory,
      into: place,
      to: options.to ?? null,
      ...verified(options, terminal),
      threads: availableParallelism(),
      projections,
      // What is equal stays in place.
      compare: options.compare === true || options.swap === true,
      swap: options.swap === true,
      olderRows: options.projection === undefined ? 'keep' : 'refuse',
      onProgress: progress.show,
      onNote: (note) => terminal.err(note),
    });
  } finally {
    progress.end();
    await source.close();
  }
  const different = differences(report);
  const isKept = options.into !== undefined || different.length > 0;
  if (!isKept) await rm(place, { recursive: true, force: true });
  const told = { ...report, place: isKept ? place : null };
  if (options.json) printJson(terminal, told);
  else tellReplay(told, terminal);
  if (different.length === 0) return;
  const message = `not what the log gives: ${different.join(', ')}`;
  throw new CommandFailure(EXIT.differs, { code: 'replay-differs', message, details: { place } }, true);
}

function chosen(name: string | undefined): readonly Projection[] {
  if (name === undefined) return CATALOG;
  const projections = CATALOG.filter((projection) => projection.name === name);
  if (projections.length > 0) return projections;
  const known = CATALOG.map((projection) => projection.name).join(', ');
  throw codedError('usage', `there is no projection "${name}"; there are ${known}`);
}

function verified(
  { seals, signatures, verify }: Options,
  terminal: Terminal,
): { readonly verifySeals: boolean; readonly verifySignatures: boolean } {
  if (!seals || !signatures) terminal.err('hotledger: warning: --no-seals and --no-signatures go; use --verify');
  const level = verify ?? 'all';
  return { verifySeals: seals && level !== 'none', verifySignatures: signatures && level === 'all' };
}
