/** `hotledger raft join`: the node of this machine becomes a member of a cluster that is there already. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { codedError } from '../../base/result.ts';
import { ControlClient } from '../../node/control-client.ts';
import type { RaftReport } from '../../node/raft/operations.ts';
import { controlSocketOf, positiveDuration, withNodeChoice, type NodeChoice } from '../options.ts';
import { durationText, printFacts, printJson } from '../print.ts';
import type { Terminal } from '../terminal.ts';
import { withKeptList, type ListOptions } from './kept-list.ts';

interface Options extends NodeChoice, ListOptions {
  readonly cluster: readonly string[];
  readonly via?: string;
  readonly nonvoter?: true;
  readonly wait: number;
  readonly json?: true;
}

const LOOK_AGAIN_MS = 200;

const WHY =
  'nobody added it, or a server leads that --cluster did not name, by the id and address that the cluster has for it';

const EXAMPLES = `
The node runs already, with a section "raft" without "bootstrap" and with nothing in its log. It takes the word of the
servers that --cluster names, of which one must lead, and waits until the cluster has taken it in. Who takes it in is the
cluster's leader: by "hotledger raft add-voter" there, by AddVoter in a Go program, or by this command where a member runs
on this machine (--via), whose servers are all named then. A server whose id is not its address is named with both.

Examples:
  hotledger raft join --cluster n1=10.0.0.1:4101,n2=10.0.0.2:4101 --config ./net/validator-4/config.json
  hotledger raft join --cluster n1=127.0.0.1:4101 --via ./net/validator-1/data --config ./net/validator-4/config.json`;

export function joinCommand(terminal: Terminal): Command {
  return withNodeChoice(
    new Command('join')
      .summary('become a member of a cluster that is there already')
      .description('Makes the running node of this machine a member of the cluster that is named.'),
  )
    .requiredOption('--cluster <addr>', 'servers of the cluster, [id=]host:port; repeatable', gatheredMembers)
    .option('--via <dir>', 'data directory of a member on this machine that is asked to take this one in')
    .option('--nonvoter', 'follow the log without a vote')
    .option('--wait <duration>', 'how long to wait until the cluster has taken it in', positiveDuration, 60_000)
    .option('--operator-key <file>', "operator's key: the signed list of the member asked is kept current with it")
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action((options: Options) => join(options, terminal));
}

function gatheredMembers(text: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), ...text.split(',').map((member) => member.trim())];
}

async function join(options: Options, terminal: Terminal): Promise<void> {
  const client = new ControlClient(await controlSocketOf(options, terminal));
  const before = await client.raftReport();
  const servers = options.cluster.map((member) => {
    const at = member.indexOf('=');
    return at < 0 ? { id: member, address: member } : { id: member.slice(0, at), address: member.slice(at + 1) };
  });
  if (before.servers.length > 0 && !servers.some(({ id }) => before.servers.some((server) => server.id === id))) {
    throw codedError(
      'raft-log-exists',
      'this server is of another cluster already: join with an empty data directory',
      {
        servers: before.servers.map(({ id }) => id).join(','),
      },
    );
  }
  const member =
    options.via === undefined ? null : new ControlClient(await controlSocketOf({ data: options.via }, terminal));
  // Whoever leads by the time that it is taken in, it is a server that the member knows.
  const known = member === null ? [] : (await member.raftReport()).servers.map(({ address, id }) => ({ id, address }));
  await client.raftName([...servers, ...known.filter(({ id }) => servers.every((named) => named.id !== id))]);
  if (member === null) terminal.err(`waiting for the cluster to add ${before.self.id} at ${before.self.address}`);
  else await takeIn(member, before, options, terminal);
  const report = await taken(client, options);
  const own = report.servers.find(({ id }) => id === report.self.id);
  if (options.json)
    return printJson(terminal, { ...report.self, suffrage: own?.suffrage, appliedIndex: report.appliedIndex });
  printFacts(terminal, [
    ['member', `${report.self.id} at ${report.self.address}, ${own?.suffrage ?? ''}`],
    ['leader', report.leader?.id ?? null],
    ['applied', report.appliedIndex],
  ]);
}

async function takeIn(member: ControlClient, joining: RaftReport, options: Options, terminal: Terminal): Promise<void> {
  const kind = options.nonvoter === true ? 'add-nonvoter' : 'add-voter';
  const change = { kind, ...joining.self } as const;
  await withKeptList(member, change, options, terminal, () => member.raftChange(change));
}

/** @throws CodedError `deadline` when the cluster has not taken it in by then */
async function taken(client: ControlClient, { nonvoter, wait }: Options): Promise<RaftReport> {
  const giveUpAtMs = Date.now() + wait;
  for (;;) {
    const report = await client.raftReport();
    const own = report.servers.find(({ id }) => id === report.self.id);
    const isIn = own !== undefined && (nonvoter === true || own.suffrage === 'voter');
    if (isIn && report.appliedIndex >= report.configurationIndex) return report;
    if (report.foreign !== null) throw codedError(report.foreign.code, report.foreign.message, report.foreign.details);
    if (Date.now() >= giveUpAtMs) {
      throw codedError('deadline', `the cluster has not taken this server in within ${durationText(wait)}: ${WHY}`, {
        id: report.self.id,
        address: report.self.address,
        appliedIndex: report.appliedIndex,
      });
    }
    await sleep(LOOK_AGAIN_MS);
  }
}
