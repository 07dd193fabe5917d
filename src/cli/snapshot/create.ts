/** `hotledger snapshot create`: of a running node, or of a stopped directory. */
import { Command } from 'commander';
import { CodedError } from '../../base/result.ts';
import type { NodeConfig } from '../../node/config.ts';
import { ControlClient } from '../../node/control-client.ts';
import type { WrittenSnapshot } from '../../node/snapshot/snapshot-writer.ts';
import { CONFIG_OPTION } from '../options.ts';
import { megabytes, printFacts, printJson } from '../print.ts';
import type { Terminal } from '../terminal.ts';
import { nodeOf, type ConfigChoice } from './choice.ts';
import { progressOf } from './progress.ts';

const EXAMPLES = `
Examples:
  hotledger snapshot create --config ./net/validator-1/config.json
  hotledger snapshot create --config ./net/observer/config.json --json`;

export function createCommand(terminal: Terminal): Command {
  return new Command('create')
    .summary('write a snapshot of the state as it is now')
    .description(
      'Writes a snapshot at the last block into the data directory, while the node goes on, or of a node that does not run.',
    )
    .option(...CONFIG_OPTION)
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action((options: ConfigChoice) => create(options, terminal));
}

async function create(options: ConfigChoice, terminal: Terminal): Promise<void> {
  const config = await nodeOf(options, terminal);
  const written = (await ofRunning(config)) ?? (await ofStopped(config, options, terminal));
  if (options.json) return printJson(terminal, written);
  printFacts(terminal, [
    ['height', written.height],
    ['state root', written.stateRoot],
    ['entries', written.entries],
    ['size', `${megabytes(written.bytes)} in ${2 ** written.depth} chunks`],
  ]);
}

/** @returns undefined when no node runs */
async function ofRunning({ controlSocket }: NodeConfig): Promise<WrittenSnapshot | undefined> {
  try {
    return await new ControlClient(controlSocket).snapshotCreate();
  } catch (error) {
    if (error instanceof CodedError && error.code === 'node-not-running') return undefined;
    throw error;
  }
}

async function ofStopped(config: NodeConfig, options: ConfigChoice, terminal: Terminal): Promise<WrittenSnapshot> {
  const { snapshotOfStopped } = await import('../../node/snapshot/stopped-ledger.ts');
  const { readGenesisFile } = await import('../../node/genesis-file.ts');
  const progress = progressOf('entries', terminal, options.json === true);
  try {
    return await snapshotOfStopped({
      dataDirectory: config.dataDirectory,
      genesis: await readGenesisFile(config.genesis),
      onProgress: ({ entries, phase, totalEntries }) => progress.show(phase, entries, totalEntries),
      signal: new AbortController().signal,
    });
  } finally {
    progress.end();
  }
}
