/** `hotledger snapshot list`: what lies in the data directory. */
import { Command } from 'commander';
import { listSnapshots, type ListedSnapshot } from '../../node/snapshot/list-snapshots.ts';
import { SnapshotFolder } from '../../node/snapshot/snapshot-folder.ts';
import { CONFIG_OPTION } from '../options.ts';
import { megabytes, printJson } from '../print.ts';
import type { Terminal } from '../terminal.ts';
import { nodeOf, type ConfigChoice } from './choice.ts';

const EXAMPLES = `
Example:
  hotledger snapshot list --config ./net/observer/config.json`;

export function listCommand(terminal: Terminal): Command {
  return new Command('list')
    .summary('say which snapshots there are')
    .description('Lists the snapshots in the data directory, the newest first. "verify" looks into them.')
    .option(...CONFIG_OPTION)
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action((options: ConfigChoice) => list(options, terminal));
}

async function list(options: ConfigChoice, terminal: Terminal): Promise<void> {
  const { dataDirectory } = await nodeOf(options, terminal);
  const snapshots = await listSnapshots(SnapshotFolder.of(dataDirectory));
  if (options.json) return printJson(terminal, { snapshots });
  if (snapshots.length === 0) return terminal.out('no snapshots');
  for (const snapshot of snapshots) terminal.out(lineOf(snapshot));
}

function lineOf(snapshot: ListedSnapshot): string {
  if (snapshot.kind === 'unreadable') return `height ${snapshot.height}  unreadable: ${snapshot.because}`;
  const { bytes, chunks, entries, height, stateRoot, timestamp } = snapshot;
  const when = new Date(timestamp * 1000).toISOString();
  return `height ${height}  ${when}  ${entries} entries  ${megabytes(bytes)} in ${chunks} chunks  state root ${stateRoot}`;
}
