/** `hotledger replay`: everything again from the log, compared with what is kept. */
import { availableParallelism } from 'node:os';
import { Presets, SingleBar } from 'cli-progress';
import { Command } from 'commander';
import { codedError } from '../base/result.ts';
import type { LedgerReplayProgress, LedgerReplayReport } from '../node/replay.ts';
import { CommandFailure, EXIT } from './exit.ts';
import { CONFIG_OPTION, configFileOf, configOf } from './options.ts';
import { printFacts, printJson } from './print.ts';
import type { Terminal } from './terminal.ts';

interface Options {
  readonly config?: string;
  readonly signatures: boolean;
  readonly seals: boolean;
  readonly json?: true;
}

const EXAMPLES = `
The node must be stopped: one process opens a data directory. Exits with 6 when something differs; projections that
differ have been replaced by the rebuilt ones then, the state and the log are never touched.

Examples:
  hotledger replay --config ./net/validator-1/config.json
  hotledger replay --config ./net/observer/config.json --no-signatures --json`;

export function replayCommand(terminal: Terminal): Command {
  return new Command('replay')
    .summary('execute the whole log again and compare')
    .description(
      'Checks every seal and signature of the log, executes every block again from genesis, and compares state and ' +
        'projections with what is on disk, byte for byte.',
    )
    .option(...CONFIG_OPTION)
    .option('--no-signatures', 'take the signatures of events as checked before their block was sealed')
    .option('--no-seals', 'take the seals of blocks as checked before they were written')
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action((options: Options) => replay(options, terminal));
}

async function replay(options: Options, terminal: Terminal): Promise<void> {
  const file = configFileOf(options, terminal);
  if (file === undefined) throw codedError('usage', 'name the node with --config FILE, or set HOTLEDGER_CONFIG');
  const config = await configOf(file, {}, terminal);
  const { replayLedger } = await import('../node/replay.ts');
  const progress = terminal.interactive && !options.json ? progressBar() : progressLines(terminal);
  let report: LedgerReplayReport;
  try {
    report = await replayLedger(config, {
      verifySignatures: options.signatures,
      verifySeals: options.seals,
      threads: availableParallelism(),
      onProgress: progress.show,
    });
  } finally {
    progress.end();
  }
  if (options.json) printJson(terminal, report);
  else tell(report, terminal);
  const different = differences(report);
  if (different.length === 0) return;
  const message = `not what the log gives: ${different.join(', ')}`;
  throw new CommandFailure(EXIT.differs, { code: 'replay-differs', message, details: {} }, true);
}

interface Progress {
  readonly show: (progress: LedgerReplayProgress) => void;
  readonly end: () => void;
}

function progressBar(): Progress {
  const format = '{bar} {percentage}% | height {value} of {total} | {rate} events/s | {eta_formatted} left';
  const bar = new SingleBar({ format, stream: process.stderr, hideCursor: true }, Presets.shades_classic);
  const rate = rateMeter();
  let isShown = false;
  return {
    show: (progress) => {
      const payload = { rate: Math.round(rate(progress)) };
      if (!isShown) bar.start(progress.headHeight, 0, payload);
      isShown = true;
      bar.update(progress.height, payload);
    },
    end: () => {
      bar.stop();
    },
  };
}

/** A line every few seconds, where there is no terminal to redraw. */
function progressLines(terminal: Terminal): Progress {
  const rate = rateMeter();
  let shownMs = performance.now();
  return {
    show: (progress) => {
      const perSecond = Math.round(rate(progress));
      if (performance.now() - shownMs < 5_000) return;
      shownMs = performance.now();
      terminal.err(`height ${progress.height} of ${progress.headHeight}, ${perSecond} events/s`);
    },
    end: () => undefined,
  };
}

/** Events a second since the start. */
function rateMeter(): (progress: LedgerReplayProgress) => number {
  const beganMs = performance.now();
  return ({ events }) => (1000 * events) / Math.max(1, performance.now() - beganMs);
}

function differences({ state, projections }: LedgerReplayReport): string[] {
  const different = projections.filter(({ before }) => before === 'different').map(({ name }) => `projection ${name}`);
  return state.equal ? different : [`state at "${state.firstDifference}"`, ...different];
}

function tell(report: LedgerReplayReport, terminal: Terminal): void {
  const { events, seconds, state, verified } = report;
  const rate = `${seconds.toFixed(1)} s, ${Math.round(events / Math.max(seconds, 0.001))} events/s`;
  const checked = Object.entries(verified).filter(([, done]) => done);
  printFacts(terminal, [
    ['chain id', report.chainId],
    ['height', report.height],
    ['events', events],
    ['state root', report.stateRoot],
    ['checked', checked.length === 0 ? 'nothing' : checked.map(([what]) => what).join(', ')],
    ['took', rate],
    ['state', `${state.entries} entries, ${state.equal ? 'equal' : 'DIFFERENT'}`],
    ...report.projections.map(
      ({ name, before, rows }) => [`projection ${name}`, `${rows} rows, ${TOLD[before]}`] as const,
    ),
  ]);
}

const TOLD = {
  equal: 'equal',
  different: 'DIFFERENT, replaced by the rebuilt ones',
  none: 'rebuilt; there was nothing to compare with',
};
