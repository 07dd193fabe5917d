/** `hotledger devnet`: a whole network on this machine, lived in by simulated nodes. */
import { resolve } from 'node:path';
import { Command } from 'commander';
import { MIN_LIVENESS_WINDOW_SECONDS } from '../ledger/parameters.ts';
import { parseMix, DEFAULT_MIX } from './devnet/mix.ts';
import { openDevnet } from './devnet/network.ts';
import { Screen } from './devnet/screen.ts';
import type { DevnetSummary } from './devnet/summary.ts';
import { plainLine, renderView, type ViewFacts } from './devnet/view.ts';
import { CommandFailure, EXIT } from './exit.ts';
import { consensusOption, positiveDuration, positiveNumber, share, wholeNumber } from './options.ts';
import { printFacts, printJson } from './print.ts';
import type { Terminal } from './terminal.ts';

interface Options {
  readonly dir: string;
  readonly validators: number;
  readonly consensus: 'hotstuff' | 'raft';
  readonly nodes: number;
  readonly mix?: string;
  readonly adversaries: number;
  readonly speed: number;
  readonly reads: number;
  readonly duration?: number;
  readonly json?: true;
}

/** A line of the plain view comes this often. */
const PLAIN_LINE_MS = 5_000;
const HOUR_SECONDS = 3600;

const EXAMPLES = `
The mix is a list of name=share: ${Object.entries(DEFAULT_MIX)
  .map(([name, share]) => `${name}=${share}`)
  .join(', ')}.

Examples:
  hotledger devnet
  hotledger devnet --consensus raft --validators 3 --dir .devnet-raft
  hotledger devnet --nodes 250 --speed 600 --mix flapping=0.3,direct=0.1
  hotledger devnet --duration 30s --json | tail -1 | jq .ok

Ctrl-C stops every process and keeps the data; starting again goes on from it. Remove the directory to begin anew.
Adversaries submit forgeries: events of others, replays, times ahead, foreign addresses, self-made validators and more.
With --duration or Ctrl-C it ends with a summary, and exits with 0 only if all state roots agree, nothing acknowledged
is missing, no verified read failed and every forgery was refused. In a Raft cluster the observer is a server without a
vote, and its reads are the word of the cluster.`;

export function devnetCommand(terminal: Terminal): Command {
  return new Command('devnet')
    .summary('run a network on this machine with a population of simulated nodes')
    .description(
      'Starts four validators and an observer as five processes on loopback, and lets simulated nodes, each with its ' +
        'own key, join, change, beat and leave. What is printed about reads was verified by the observer.',
    )
    .option('--dir <dir>', 'where everything is kept', '.devnet')
    .option('--validators <n>', 'how many validators, at the first start', wholeNumber(1, 64), 4)
    .addOption(consensusOption('at the first start: '))
    .option('--nodes <n>', 'simulated nodes', wholeNumber(1, 10_000), 40)
    .option('--mix <shares>', 'what the nodes are like; see below')
    .option('--adversaries <share>', 'hostile nodes beside them, such as 5% or 0', share, 0.05)
    .option(
      '--speed <n>',
      "how many times faster than life; the first start fixes the chain's pace of heartbeats",
      positiveNumber,
      120,
    )
    .option('--reads <n>', 'verified reads a second', positiveNumber, 2)
    .option('--duration <time>', 'end after this time, such as 30s', positiveDuration)
    .option('--json', 'end with one line of JSON, the summary; progress goes to standard error')
    .addHelpText('after', EXAMPLES)
    .action((options: Options) => devnet(options, terminal));
}

async function devnet(options: Options, terminal: Terminal): Promise<void> {
  const mix = parseMix(options.mix);
  const opened = await openDevnet({
    directory: resolve(terminal.directory, options.dir),
    validators: options.validators,
    consensus: options.consensus,
    livenessWindowSeconds: Math.max(MIN_LIVENESS_WINDOW_SECONDS, Math.round(HOUR_SECONDS / options.speed)),
  });
  const stop = stopSignal();
  const display = displayFor(options, terminal);
  try {
    // Imported late, as help and mistakes need not wait for it.
    const { runDevnet } = await import('./devnet/run.ts');
    const { adversaries, nodes, speed, reads: readsPerSecond } = options;
    const summary = await runDevnet(
      {
        devnet: opened,
        label: options.dir,
        nodes,
        mix,
        adversaries,
        speed,
        readsPerSecond,
        durationMs: options.duration,
        show: display.show,
      },
      stop,
    );
    display.end();
    tellSummary(summary, options.json === true, terminal);
  } finally {
    display.end();
  }
}

/** Aborts on Ctrl-C or SIGTERM. A second Ctrl-C ends the program, and with it its nodes. */
function stopSignal(): AbortSignal {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (stop.signal.aborted) process.exit(1);
      stop.abort();
    });
  }
  return stop.signal;
}

interface Display {
  readonly show: (view: ViewFacts) => void;
  readonly end: () => void;
}

function displayFor(options: Options, terminal: Terminal): Display {
  if (terminal.interactive && !options.json) {
    const screen = new Screen((text) => {
      terminal.raw(text);
    });
    return {
      show: (view) => {
        screen.draw(renderView(view, terminal.columns()), terminal.rows());
      },
      end: () => {
        screen.end();
      },
    };
  }
  let shownMs = -Infinity;
  return {
    show: (view) => {
      if (performance.now() - shownMs < PLAIN_LINE_MS) return;
      shownMs = performance.now();
      if (options.json) terminal.err(plainLine(view));
      else terminal.out(plainLine(view));
    },
    end: () => undefined,
  };
}

/** @throws CommandFailure `devnet-failed` when the verdict is bad */
export function tellSummary(summary: DevnetSummary, json: boolean, terminal: Terminal): void {
  if (json) printJson(terminal, summary);
  else tellFacts(summary, terminal);
  if (summary.ok) return;
  const message = summary.problems.join('; ');
  throw new CommandFailure(EXIT.error, { code: 'devnet-failed', message, details: {} }, true);
}

function tellFacts(summary: DevnetSummary, terminal: Terminal): void {
  const { adversaries, events, latencyMs, reads, stakes } = summary;
  const roots = new Set(summary.processes.map(({ stateRoot }) => stateRoot));
  terminal.out('');
  printFacts(terminal, [
    ['chain id', summary.chainId],
    ['height', summary.commonHeight],
    ['state root', roots.size === 1 ? ([...roots][0] ?? null) : 'differs'],
    ['events', `${events.submitted} submitted, ${events.acknowledged} acknowledged, ${events.committed} committed`],
    [
      'commit latency',
      latencyMs === null ? null : `p50 ${latencyMs.p50.toFixed(1)} ms, p99 ${latencyMs.p99.toFixed(1)} ms`,
    ],
    ['stakes', `${stakes.decided} decided by a quorum of the validators`],
    ['forgeries', `${adversaries.refused} refused, ${adversaries.accepted.length} accepted`],
    ['verified reads', `${reads.ok} ok, ${reads.failed} failed`],
    ['missing', `${summary.missing.length} of the acknowledged`],
  ]);
}
