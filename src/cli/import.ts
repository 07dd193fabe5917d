/** `hotledger import`: an export of the older network, judged record by record, and made genesis state. */
import { readFile, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Command } from 'commander';
import { codedError } from '../base/result.ts';
import { chainIdOf, formatGenesis, type Genesis } from '../ledger/genesis.ts';
import type { ImportLine, ImportOutcome } from '../ledger/import.ts';
import { readGenesisFile } from '../node/genesis-file.ts';
import { readOlderRecords, readPeerIds, withOlderRecordOptions, type OlderRecordOptions } from './older-records.ts';
import { printJson } from './print.ts';
import type { Terminal } from './terminal.ts';

interface Options extends OlderRecordOptions {
  readonly validators?: string;
  readonly genesis?: string;
  readonly out?: string;
  readonly json?: true;
}

const EXAMPLES = `
FILE is a JSON list of nodeData records as masa-oracle serves them, or one record a line, as "hotledger export" writes
them of another chain. Nothing is taken on trust: who is staked or a
validator is what you list, times are judged against --reference-time, of two records of one peer the first counts.
With --genesis and --out the accepted records are added to a genesis; the chain id changes with them.

Examples:
  hotledger import nodedata.json --reference-time 2024-08-26T12:00:00Z
  hotledger import nodedata.json --reference-time 1724673600 --staked staked.txt --genesis genesis.json --out genesis-2.json
  hotledger import nodedata.json --json | jq '.report[] | select(.verdict == "rejected")'`;

export function importCommand(terminal: Terminal): Command {
  const command = new Command('import')
    .summary('judge an export of the older network, and make genesis state of it')
    .description('Reports each record of an older nodeData export as valid, normalised or rejected, and why.')
    .argument('<file>', 'nodeData records: a JSON list, or one a line');
  return withOlderRecordOptions(command)
    .option('--validators <file>', 'peer ids of the validators, in a file (default: those of --genesis)')
    .option('--genesis <file>', 'genesis to add the records to')
    .option('--out <file>', 'genesis file to write')
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action((file: string, options: Options) => importFile(file, options, terminal));
}

async function importFile(file: string, options: Options, terminal: Terminal): Promise<void> {
  if ((options.genesis === undefined) !== (options.out === undefined)) {
    throw codedError('usage', '--genesis and --out go together: the genesis to add to, and the file to write');
  }
  const genesis =
    options.genesis === undefined ? undefined : await readGenesisFile(resolve(terminal.directory, options.genesis));
  const validators =
    options.validators === undefined
      ? (genesis?.validators ?? []).map(({ peerId }) => peerId)
      : await readPeerIds(options.validators, terminal);
  const outcome = await readOlderRecords(file, options, validators, terminal);
  const written = genesis === undefined ? undefined : await writeGenesis(genesis, outcome, options.out ?? '', terminal);
  const counts = countsOf(outcome.report);
  const { report, stakedWithoutRecord } = outcome;
  if (options.json) {
    printJson(terminal, { ...counts, records: outcome.records.length, report, stakedWithoutRecord, ...written });
    return;
  }
  for (const line of report) terminal.out(lineText(line));
  terminal.out('');
  terminal.out(
    `${report.length} records: ${counts.valid} valid, ${counts.normalised} normalised, ${counts.rejected} rejected`,
  );
  for (const peerId of stakedWithoutRecord) terminal.out(`listed as staked, but without a record: ${peerId}`);
  if (written !== undefined) terminal.out(`wrote ${written.genesisFile}, chain id ${written.chainId}`);
}

async function writeGenesis(
  genesis: Genesis,
  { records, latestTimeSeconds }: ImportOutcome,
  out: string,
  terminal: Terminal,
): Promise<{ genesisFile: string; chainId: string }> {
  if (genesis.records.length > 0) {
    throw codedError('usage', 'the genesis has records already; start from one without', {
      records: genesis.records.length,
    });
  }
  // A chain does not begin before what its records remember.
  const timestamp = Math.max(genesis.timestamp, latestTimeSeconds);
  const grown: Genesis = { ...genesis, timestamp, records };
  const genesisFile = resolve(terminal.directory, out);
  if (await exists(genesisFile)) throw codedError('usage', `${genesisFile} exists already; choose another --out`);
  await writeFile(genesisFile, formatGenesis(grown));
  return { genesisFile, chainId: chainIdOf(grown) };
}

async function exists(path: string): Promise<boolean> {
  return readFile(path).then(
    () => true,
    () => false,
  );
}

function countsOf(report: readonly ImportLine[]): { valid: number; normalised: number; rejected: number } {
  const counts = { valid: 0, normalised: 0, rejected: 0 };
  for (const { verdict } of report) counts[verdict]++;
  return counts;
}

function lineText({ index, peerId, verdict, reasons, notes }: ImportLine): string {
  const why = [...reasons, ...notes].map(({ code, message }) => `${code} (${message})`).join('; ');
  return `${String(index).padStart(5)}  ${verdict.padEnd(10)}  ${(peerId || '-').padEnd(54)}  ${why}`.trimEnd();
}
