/** `hotledger status`: what a node on this machine says of itself. */
import { Command } from 'commander';
import { ControlClient } from '../node/control-client.ts';
import type { JoinReport } from '../node/joining/join-report.ts';
import type { NodeStatus } from '../node/status.ts';
import { CommandFailure, EXIT } from './exit.ts';
import { controlSocketOf, withNodeChoice, type NodeChoice } from './options.ts';
import { durationText, megabytes, printFacts, printJson, type Fact } from './print.ts';
import type { Terminal } from './terminal.ts';

interface Options extends NodeChoice {
  readonly json?: true;
}

const EXAMPLES = `
Exits with 0 when every component is healthy, 1 when one is not, 5 when no node answers.

Examples:
  hotledger status --config ./net/validator-1/config.json
  hotledger status --data .devnet/observer/data --json | jq .height`;

export function statusCommand(terminal: Terminal): Command {
  return withNodeChoice(
    new Command('status')
      .summary('show the state of a node on this machine')
      .description('Asks a running node on this machine, over the control socket in its data directory.'),
  )
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action((options: Options) => status(options, terminal));
}

async function status(options: Options, terminal: Terminal): Promise<void> {
  const now = await new ControlClient(await controlSocketOf(options, terminal)).status();
  if (options.json) printJson(terminal, now);
  else tell(now, terminal);
  const broken = now.components.filter((component) => !component.healthy);
  if (broken.length === 0) return;
  const message = broken.map(({ name, detail }) => `${name}: ${detail}`).join('; ');
  throw new CommandFailure(EXIT.error, { code: 'unhealthy', message, details: {} }, true);
}

function schemaText({ height, schema: { active, known, scheduled } }: NodeStatus): string {
  const coming =
    scheduled === null
      ? ''
      : `; ${scheduled.schema} from height ${scheduled.fromHeight} on, in ${scheduled.fromHeight - height} blocks`;
  return `${active} in force, this program knows ${known}${coming}`;
}

function tell(now: NodeStatus, terminal: Terminal): void {
  if (now.joining !== undefined) return tellJoining(now, now.joining, terminal);
  printFacts(terminal, [
    ['chain', now.chainId],
    ['peer id', now.peerId],
    ['role', now.index === null ? now.role : `${now.role} ${now.index}`],
    ['version', now.version],
    ['up', durationText(now.upSeconds * 1000)],
    ['engine', `${now.engine}, epoch ${now.epoch}, round ${now.round}${now.idle ? ', idle' : ''}`],
    ['signs', now.role === 'observer' ? 'no' : (now.silentBecause ?? 'yes')],
    ['height', now.height],
    ['head', now.headId],
    ['state root', now.stateRoot],
    ['event schema', schemaText(now)],
    ['waiting', `${now.mempoolEvents} events, ${now.uncommittedBlocks} uncommitted blocks`],
    ['committed', `${now.commits} blocks, ${now.eventsCommitted} events since the start`],
    ['peers', now.peers],
    ['memory', megabytes(now.rssBytes)],
    ['processor time', durationText(now.cpuMs)],
    ...now.listenAddrs.map((address) => ['listens on', address] as const),
    ['oldest block', oldestBlockText(now)],
    ...now.projections.map(
      ({ height, name, state }) => [`projection ${name}`, state === 'following' ? `height ${height}` : state] as const,
    ),
    ...rebuildFacts(now),
    ...now.components.map(({ name, healthy, detail }) => [name, `${healthy ? 'ok' : 'NOT OK'}, ${detail}`] as const),
  ]);
}

function oldestBlockText({ oldestBlock, pruningWaitsFor }: NodeStatus): string {
  return pruningWaitsFor === null ? String(oldestBlock) : `${oldestBlock}, older than wanted: ${pruningWaitsFor}`;
}

function rebuildFacts({ rebuild }: NodeStatus): Fact[] {
  if (rebuild === null) return [];
  const { eventsPerSecond, headHeight, height, projections, secondsLeft } = rebuild;
  const left = secondsLeft === null ? 'time left unknown' : `${durationText(secondsLeft * 1000)} left`;
  const progress = height < 0 ? 'beginning' : `height ${height} of ${headHeight}, ${eventsPerSecond} events/s, ${left}`;
  return [[`rebuilding ${projections.join(', ')}`, progress]];
}

function tellJoining(now: NodeStatus, join: JoinReport, terminal: Terminal): void {
  printFacts(terminal, [
    ['chain', now.chainId],
    ['peer id', now.peerId],
    ['role', `${now.role}, joining`],
    ['version', now.version],
    ['up', durationText(now.upSeconds * 1000)],
    ['phase', join.phase],
    ['snapshot', join.height === null ? 'none chosen yet' : `height ${join.height}`],
    ['network head', join.headHeight],
    ['chunks', `${join.chunksKept} of ${join.chunks}`],
    ['fetched', `${megabytes(join.bytes)}, ${megabytes(join.bytesPerSecond)}/s`],
    ...join.servers.map(
      ({ bytes, chunks, droppedBecause, server }) =>
        [
          `server ${server}`,
          droppedBecause === null ? `${chunks} chunks, ${megabytes(bytes)}` : `DROPPED: ${droppedBecause}`,
        ] as const,
    ),
    ...now.components.map(({ name, healthy, detail }) => [name, `${healthy ? 'ok' : 'NOT OK'}, ${detail}`] as const),
  ]);
}
