/** `hotledger raft list`: the operator's signed list of the cluster. */
import { readFile, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Command } from 'commander';
import { codedError } from '../../base/result.ts';
import type { Hash } from '../../base/hash.ts';
import { ControlClient } from '../../node/control-client.ts';
import { loadIdentityKey } from '../../node/keys.ts';
import { signClusterList } from '../../node/raft/cluster-list.ts';
import { controlSocketOf, withNodeChoice, wholeNumber, type NodeChoice } from '../options.ts';
import { printFacts, printJson } from '../print.ts';
import type { Terminal } from '../terminal.ts';
import { gatheredServers, type NamedServer } from './servers.ts';

interface Options extends NodeChoice {
  readonly take?: string;
  readonly json?: true;
}

interface SignOptions {
  readonly key: string;
  readonly server: readonly NamedServer[];
  readonly listVersion: number;
  readonly history?: string;
  readonly out: string;
  readonly json?: true;
}

const EXAMPLES = `
A server takes requests from those that its log names, and from those on its list: a blank server has no log, and one that
was away for long may know only those who have left. The configuration names who may sign lists (raft.operators).

Examples:
  hotledger raft list --config ./net/validator-1/config.json
  hotledger raft list sign --key operator_key --server n1=10.0.0.1:4101 --server n2=10.0.0.2:4101 --list-version 2 \\
      --out cluster.json
  hotledger raft list --take cluster.json --config ./net/validator-1/config.json`;

export function listCommand(terminal: Terminal): Command {
  const command = withNodeChoice(
    new Command('list')
      .summary("show, replace or sign the operator's list of the cluster")
      .description(
        'Shows the signed list that a running node on this machine has, or gives it another one with --take.',
      ),
  )
    .option('--take <file>', 'a signed list that the node is to take')
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action((options: Options) => list(options, terminal));
  command.addCommand(signCommand(terminal));
  return command;
}

function signCommand(terminal: Terminal): Command {
  return new Command('sign')
    .description('Signs a list of the cluster. Needs no running node.')
    .requiredOption('--key <file>', "operator's identity key file")
    .requiredOption('--server <id=address>', 'a server of the cluster; repeatable', gatheredServers)
    .requiredOption('--list-version <number>', 'more than that of the list before', wholeNumber(1, 2 ** 31))
    .option('--history <hash>', 'the history of the cluster, as "hotledger raft status" shows it')
    .requiredOption('--out <file>', 'file to write')
    .option('--json', 'print JSON')
    .action((options: SignOptions) => sign(options, terminal));
}

async function list(options: Options, terminal: Terminal): Promise<void> {
  const client = new ControlClient(await controlSocketOf(options, terminal));
  const present =
    options.take === undefined
      ? (await client.raftReport()).list
      : await client.raftReplaceList(await jsonIn(resolve(terminal.directory, options.take)));
  if (options.json) return printJson(terminal, present);
  if (present === null) return terminal.out('no signed list; the configuration may name servers (raft.cluster)');
  printFacts(terminal, [
    ['version', present.version],
    ['signer', present.signer],
    ['history', present.history],
    ...present.servers.map(({ address, id }) => [id, address] as const),
  ]);
}

async function sign(options: SignOptions, terminal: Terminal): Promise<void> {
  const key = await loadIdentityKey({
    identityKeyFile: resolve(terminal.directory, options.key),
    identityKeyHex: null,
  });
  const { history = null, listVersion: version, server: servers } = options;
  if (history !== null && !/^[0-9a-f]{64}$/.test(history)) throw codedError('usage', 'a history has 64 hex digits');
  const signed = signClusterList({ version, history: history as Hash | null, servers }, key);
  const out = resolve(terminal.directory, options.out);
  await writeFile(out, `${JSON.stringify(signed, null, 2)}\n`);
  if (options.json) printJson(terminal, { ...signed, file: out });
  else
    printFacts(terminal, [
      ['list', out],
      ['version', version],
      ['signer', signed.signer],
    ]);
}

async function jsonIn(path: string): Promise<unknown> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw codedError('raft-list-malformed', `cannot read ${path}`, { path }, { cause: error });
  });
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw codedError('raft-list-malformed', `${path} is no JSON`, { path }, { cause: error });
  }
}
