/** `hotledger get`: one record, checked against the certificate, whoever served it. */
import { Command, Option } from 'commander';
import { codedError } from '../base/result.ts';
import type { ReaderTrust } from '../ledger/verified-read.ts';
import type { ReadReport } from '../node/read-report.ts';
import type { ReadWay } from '../node/light-reader.ts';
import { unverified } from './exit.ts';
import { networkOf, trustOption, withNetworkChoice, type NetworkChoice } from './network-choice.ts';
import { duration, peerIdArgument, positiveDuration, wholeNumber } from './options.ts';
import { durationText, printFacts, printJson, type Fact } from './print.ts';
import type { Terminal } from './terminal.ts';

interface Options extends NetworkChoice {
  readonly via?: ReadWay;
  readonly trust: ReaderTrust;
  readonly maxAge?: number;
  readonly timeout: number;
  readonly at?: number;
  readonly data?: string;
  readonly json?: true;
}

const EXAMPLES = `
Needs no data directory: the genesis file is all that it trusts. It asks the peers that it knows, or those named with
--from, and falls back on the DHT. With --via dht it looks in the DHT first, and peers prove what it found again at their
heads; with --via read it leaves the DHT alone. The age is by what validators state of their heads, one of whom is
correct; it is up to five seconds and a round trip where all is well. Exits with 3 when what was served cannot be
verified, or is older than --max-age.

What a Raft cluster agreed on is signed by nobody. --trust crash-only takes it as the word of the peer that served it, asks
only peers that were named with --from or that the configuration names, and says "crash-only" with the answer. With
--max-age the answer is linearizable: it shows all that was committed before it was asked for, at any member.

With --at it asks the node on this machine (or reads its directory, where that does not run) for the record as it was at a
height, and checks the answer against the root in that height's block and what seals it, like any other answer. An old
height takes as long as executing the log up to it.

Examples:
  hotledger get 16Uiu2HAm... --config .devnet/observer/config.json
  hotledger get 16Uiu2HAm... --genesis genesis.json --from /dns/v1.example.org/tcp/4001/p2p/12D3... --max-age 30s
  hotledger get 16Uiu2HAm... --genesis genesis.json --from /dns/v1.example.org/tcp/4001/p2p/12D3... --via dht
  hotledger get 16Uiu2HAm... --config ./me/config.json --json | jq .node
  hotledger get 16Uiu2HAm... --config ./me/config.json --at 5120`;

export function getCommand(terminal: Terminal): Command {
  return withNetworkChoice(
    new Command('get')
      .summary('read the record of a node, verified')
      .description('Prints the record of a node with the height it is proven at, its age, and who signed for it.')
      .argument('<peerid>', 'the node, base58 or CIDv1', peerIdArgument),
  )
    .addOption(new Option('--via <way>', 'how to look for it').choices(['read', 'dht']))
    .addOption(trustOption())
    .option('--max-age <time>', 'refuse an answer that is older, or of unknown age', duration)
    .option('--timeout <time>', 'give up after this time', positiveDuration, 20_000)
    .option(
      '--at <height>',
      'as it was at this height, from the node on this machine',
      wholeNumber(0, Number.MAX_SAFE_INTEGER),
    )
    .option('--data <dir>', "with --at: the node's data directory, in place of its configuration")
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action((peerId: string, options: Options) => get(peerId, options, terminal));
}

async function get(peerId: string, options: Options, terminal: Terminal): Promise<void> {
  if (options.trust === 'crash-only' && options.via === 'dht') {
    throw codedError(
      'usage',
      '--trust crash-only believes the peer that answers, and the DHT is nobody: leave --via away',
    );
  }
  if (options.at !== undefined) {
    const { getAt } = await import('./get-at.ts');
    const report = await getAt(peerId, options.at, options, terminal);
    if (options.json) printJson(terminal, report);
    else tellRead(report, terminal);
    return;
  }
  const network = await networkOf(options, terminal);
  const { openLightReader } = await import('../node/light-reader.ts');
  const reader = await openLightReader({ ...network, via: options.via, trust: options.trust });
  try {
    const read = await reader.read(peerId, { maxAgeMs: options.maxAge, timeoutMs: options.timeout });
    if (!read.ok) throw unverified(read.refusal);
    if (options.json) printJson(terminal, read.value);
    else tellRead(read.value, terminal);
  } finally {
    await reader.close();
  }
}

export function tellRead(report: ReadReport, terminal: Terminal): void {
  const { node } = report;
  const record: Fact[] =
    node === null
      ? [['record', 'none: proven absent']]
      : Object.entries(node)
          .filter(([, value]) => value !== undefined)
          .map(([name, value]) => [name, Array.isArray(value) ? value.join(' ') : String(value)]);
  printFacts(terminal, [
    ['verified', verifiedText(report)],
    ['chain', report.chainId],
    ['height', report.height],
    ['age', report.ageMs === null ? 'unknown' : durationText(report.ageMs)],
    ['signed by', signedText(report)],
    ['served by', report.servedBy],
    ...(report.hint === null ? [] : [['in the DHT', `at height ${report.hint.height}`] as const]),
    ['sequence', report.lastSeq],
    ...record,
  ]);
}

function verifiedText({ servedBy, trust }: ReadReport): string {
  switch (trust) {
    case 'quorum':
      return 'by a quorum of validators';
    case 'genesis':
      return 'the genesis itself';
    case 'crash-only':
      return `no (crash-only): it is the word of ${servedBy}, of a Raft cluster`;
  }
}

function signedText({ signers, trust, validators }: ReadReport): string {
  if (trust === 'crash-only') return 'nobody';
  return `${signers.length} of ${validators} validators: ${signers.join(' ')}`;
}
