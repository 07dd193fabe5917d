/** `hotledger verify`: whether a data directory is whole, and deriving again what can be derived. */
import { availableParallelism } from 'node:os';
import { Command } from 'commander';
import type { Finding } from '../node/verify/finding.ts';
import type { VerifyReport } from '../node/verify.ts';
import { CommandFailure, EXIT } from './exit.ts';
import { withNodeChoice } from './options.ts';
import { megabytes, printFacts, printJson } from './print.ts';
import { directoryOf, type DirectoryChoice } from './replay/directory.ts';
import { replayProgress } from './replay/progress.ts';
import type { Terminal } from './terminal.ts';

interface Options extends DirectoryChoice {
  readonly repair?: true;
  readonly dryRun?: true;
  readonly json?: true;
}

const EXAMPLES = `
The node must be stopped. Nothing is written without --repair. Exits with 6 when something is not as it must be, and is
not repaired. Whether the rows of projections are right, "hotledger replay --compare" tells.

Examples:
  hotledger verify --config ./net/validator-1/config.json
  hotledger verify --data ./copy/data --genesis ./net/genesis.json --json
  hotledger verify --config ./net/validator-1/config.json --repair`;

export function verifyCommand(terminal: Terminal): Command {
  return withNodeChoice(
    new Command('verify')
      .summary('check a whole data directory, and repair what can be derived')
      .description(
        'Computes the checksums of all files, decodes every block, and holds index, head, state, changes, projections and ' +
          'snapshots against the log. What cannot be derived, blocks and the safety record, is never touched.',
      ),
  )
    .option('--genesis <file>', 'with --data: the genesis file (default: genesis.json beside the data directory)')
    .option('--repair', 'derive again what can be derived, after saying what is done')
    .option('--dry-run', 'say what --repair would do, and write nothing; so it is without --repair')
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action((options: Options) => verify(options, terminal));
}

async function verify(options: Options, terminal: Terminal): Promise<void> {
  const { dataDirectory, genesisFile } = await directoryOf(options, terminal);
  const { verifyDirectory } = await import('../node/verify.ts');
  const { readGenesisFile } = await import('../node/genesis-file.ts');
  const progress = replayProgress(terminal, options.json === true);
  let report: VerifyReport;
  try {
    report = await verifyDirectory({
      dataDirectory,
      genesis: await readGenesisFile(genesisFile),
      repair: options.repair === true && options.dryRun !== true,
      threads: availableParallelism(),
      onNote: (note) => terminal.err(note),
      onProgress: progress.show,
    });
  } finally {
    progress.end();
  }
  if (options.json) printJson(terminal, forJson(report));
  else tell(report, terminal);
  const { remaining } = report;
  if (remaining.length === 0) return;
  const codes = [...new Set(remaining.map(({ code }) => code))].join(', ');
  const message = `the data directory is not as it must be: ${codes}`;
  throw new CommandFailure(EXIT.differs, { code: 'verify-found', message, details: { dataDirectory } }, true);
}

function tell(report: VerifyReport, terminal: Terminal): void {
  const { checked, counts, findings, firstHeight, height, remainingCounts, repaired } = report;
  printFacts(terminal, [
    ['files', `${checked.files}, ${megabytes(checked.bytes)}`],
    ['blocks', height === null ? checked.blocks : `${checked.blocks}, heights ${firstHeight} to ${height}`],
    ['events', checked.events],
    ['not committed', `${checked.uncommittedBlocks} blocks`],
    ['safety record', checked.safetyRecord ? 'there' : 'none'],
    ['snapshots', checked.snapshots],
    ['evidence', `${checked.evidence} pieces`],
    ...(checked.raftEntries === null ? [] : ([['log of Raft', `${checked.raftEntries} entries`]] as const)),
    ['findings', findings.length === 0 ? 'none' : sumOf(counts)],
  ]);
  for (const finding of findings) tellFinding(finding, repaired, terminal);
  for (const [code, count] of Object.entries(counts)) {
    const told = findings.filter((finding) => finding.code === code).length;
    if (told < count) terminal.out(`${code}: ${count - told} more`);
  }
  const left = sumOf(remainingCounts);
  if (repaired) terminal.out(left === 0 ? 'all of it is repaired' : `${left} findings are left`);
}

function sumOf(counts: VerifyReport['counts']): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

function tellFinding({ code, details, message, repair }: Finding, repaired: boolean, terminal: Terminal): void {
  const numbers = Object.entries(details).map(([name, value]) => `${name}=${String(value)}`);
  terminal.out(`${code}: ${message} (${numbers.join(' ')})`);
  if (repair === null) terminal.out(`  cannot be derived: ${WHAT_THEN[code] ?? RESTORE}`);
  else terminal.out(`  ${repaired ? 'repaired' : '--repair would'}: ${repair.says}`);
}

const RESTORE = 'restore the directory from a backup, or move it away and let the node sync from its peers';

const LET_LEADER_SEND = 'start the member on an empty directory, and let the leader send everything';
const COPY_SNAPSHOT = 'copy the same snapshot from another node, or make a new one; see docs/operations/replay.md';

const WHAT_THEN: Readonly<Record<string, string>> = {
  'verify-raft-log-damaged': LET_LEADER_SEND,
  'verify-raft-snapshot-damaged': 'take a new one with "hotledger raft snapshot"',
  'verify-snapshot-damaged': COPY_SNAPSHOT,
  'verify-snapshot-foreign': COPY_SNAPSHOT,
  'verify-safety-record-damaged': 'the validator must not sign with this record; see docs/operations/replay.md',
  'verify-uncommitted-damaged':
    'the validator may have voted for it: move the directory away and sync, and see docs/operations/replay.md',
};

function forJson(report: VerifyReport): unknown {
  const plain = ({ repair, ...finding }: Finding) => ({ ...finding, repair: repair?.says ?? null });
  return { ...report, findings: report.findings.map(plain), remaining: report.remaining.map(plain) };
}
