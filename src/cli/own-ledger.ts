/** For commands about the ledger of a node on this machine: the node is asked while it runs, else its data directory is read. */
import { CodedError, codedError, unwrap } from '../base/result.ts';
import { ControlClient } from '../node/control-client.ts';
import type { ExportQuery } from '../node/projections/export.ts';
import type { HistoryQuery, HistoryReport } from '../node/projections/history-report.ts';
import type { StatisticsQuery, StatisticsReport } from '../node/projections/statistics-report.ts';
import { configFileOf, configOf, controlSocketOf, type NodeChoice } from './options.ts';
import type { Terminal } from './terminal.ts';

export interface OwnLedger {
  history(query: HistoryQuery): Promise<HistoryReport>;
  statistics(query: StatisticsQuery): Promise<StatisticsReport>;
  at(peerId: string, height: number): Promise<Uint8Array>;
  /** The text, in pieces. */
  export(query: ExportQuery): Promise<{ readonly height: number; readonly text: AsyncIterable<Buffer | string> }>;
}

/** @throws CodedError what `use` throws; `node-not-running` where there is neither a node nor a configuration to read by */
export async function withOwnLedger<T>(
  choice: NodeChoice,
  terminal: Terminal,
  use: (ledger: OwnLedger) => Promise<T>,
): Promise<T> {
  const client = new ControlClient(await controlSocketOf(choice, terminal));
  try {
    return await use(client);
  } catch (error) {
    if (!(error instanceof CodedError) || error.code !== 'node-not-running') throw error;
    return await inDirectory(choice, terminal, error, use);
  }
}

async function inDirectory<T>(
  choice: NodeChoice,
  terminal: Terminal,
  notRunning: CodedError,
  use: (ledger: OwnLedger) => Promise<T>,
): Promise<T> {
  const file = configFileOf(choice, terminal);
  if (choice.data !== undefined || file === undefined) throw notRunning;
  const { StoppedLedger } = await import('../node/projections/stopped-ledger.ts');
  const config = await configOf(file, {}, terminal);
  const stopped = await StoppedLedger.open(config).catch((error: unknown) => {
    if (!(error instanceof CodedError) || error.code !== 'store-locked') throw error;
    throw codedError(
      'node-not-running',
      'a process has the data directory open, and does not answer',
      {},
      { cause: error },
    );
  });
  try {
    return await use({
      history: async (query) => unwrap(await stopped.history(query)),
      statistics: (query) => stopped.statistics(query),
      at: async (peerId, height) => unwrap(await stopped.at(peerId, height)),
      export: async (query) => {
        const exported = unwrap(await stopped.export(query));
        return { height: exported.height, text: closing(exported.lines, exported.close) };
      },
    });
  } finally {
    await stopped.close();
  }
}

async function* closing(lines: AsyncIterable<string>, close: () => Promise<void>): AsyncGenerator<string, void> {
  try {
    yield* lines;
  } finally {
    await close();
  }
}
