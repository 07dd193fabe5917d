/** `hotledger watch`: changes as they are agreed. */
import { setTimeout as delay } from 'node:timers/promises';
import { Command } from 'commander';
import type { ReaderTrust } from '../ledger/verified-read.ts';
import { ControlClient } from '../node/control-client.ts';
import type { CommitNotice } from '../node/status.ts';
import { codedError } from '../base/result.ts';
import { unverified } from './exit.ts';
import { tellRead } from './get.ts';
import { networkOf, trustOption, withNetworkChoice, type NetworkChoice } from './network-choice.ts';
import { controlSocketOf, duration, peerIdArgument, positiveDuration } from './options.ts';
import { printJson } from './print.ts';
import type { Terminal } from './terminal.ts';

interface Options extends NetworkChoice {
  readonly data?: string;
  readonly every: number;
  readonly trust: ReaderTrust;
  readonly maxAge?: number;
  readonly json?: true;
}

const EXAMPLES = `
Without a peer id it follows a running node on this machine, over its control socket: one line a committed event.
With one it reads that record from other peers again and again, verifies each answer, and prints it when it changed.
Ends with Ctrl-C; exits with 3 at the first answer that cannot be verified.

Examples:
  hotledger watch --config .devnet/observer/config.json
  hotledger watch 16Uiu2HAm... --config ./me/config.json --every 10s --json`;

export function watchCommand(terminal: Terminal): Command {
  return withNetworkChoice(
    new Command('watch')
      .summary('follow what is committed, or the record of one node')
      .argument('[peerid]', 'follow the verified record of this node only', peerIdArgument),
  )
    .option('--data <dir>', 'data directory of the node on this machine to follow, in place of its configuration')
    .option('--every <time>', 'with a peer id: read this often', positiveDuration, 5_000)
    .addOption(trustOption())
    .option('--max-age <time>', 'with a peer id: refuse an answer that is older, or of unknown age', duration)
    .option('--json', 'print one JSON object a line')
    .addHelpText('after', EXAMPLES)
    .action((peerId: string | undefined, options: Options) => watch(peerId, options, terminal));
}

async function watch(peerId: string | undefined, options: Options, terminal: Terminal): Promise<void> {
  const stop = new AbortController();
  const end = (): void => {
    stop.abort();
  };
  process.once('SIGINT', end).once('SIGTERM', end);
  try {
    if (peerId === undefined) await watchCommits(options, stop.signal, terminal);
    else await watchRecord(peerId, options, stop.signal, terminal);
  } finally {
    process.removeListener('SIGINT', end).removeListener('SIGTERM', end);
  }
}

async function watchCommits(options: Options, signal: AbortSignal, terminal: Terminal): Promise<void> {
  const client = new ControlClient(await controlSocketOf(options, terminal));
  for await (const notice of client.commits(signal)) {
    if (options.json) printJson(terminal, notice);
    else for (const line of commitLines(notice)) terminal.out(line);
  }
  if (!signal.aborted) throw codedError('node-not-running', 'the node has ended');
}

function commitLines({ height, timestamp, events }: CommitNotice): string[] {
  const time = new Date(timestamp * 1000).toISOString().replace('.000Z', 'Z');
  return events.map(({ type, peerId, seq }) => `${time}  ${height}  ${type.padEnd(20)}  ${peerId}  ${seq}`);
}

async function watchRecord(peerId: string, options: Options, signal: AbortSignal, terminal: Terminal): Promise<void> {
  const { openLightReader } = await import('../node/light-reader.ts');
  const reader = await openLightReader({ ...(await networkOf(options, terminal)), trust: options.trust });
  try {
    let shownSeq: number | null | undefined;
    while (!signal.aborted) {
      const read = await reader.read(peerId, { maxAgeMs: options.maxAge, timeoutMs: options.every + 20_000 });
      if (!read.ok) throw unverified(read.refusal);
      if (read.value.lastSeq !== shownSeq) {
        if (shownSeq !== undefined && !options.json) terminal.out('');
        if (options.json) printJson(terminal, read.value);
        else tellRead(read.value, terminal);
      }
      shownSeq = read.value.lastSeq;
      await delay(options.every, undefined, { signal }).catch(() => undefined);
    }
  } finally {
    await reader.close();
  }
}
