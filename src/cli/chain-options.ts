/** What a new chain starts with, for the commands that make a genesis. */
import type { Command } from 'commander';
import type { Genesis } from '../ledger/genesis.ts';
import { NEWEST_EVENT_SCHEMA } from '../ledger/newest-schema.ts';
import { MAX_LIVENESS_WINDOW_SECONDS, MIN_LIVENESS_WINDOW_SECONDS } from '../ledger/parameters.ts';
import { readOlderRecords, withOlderRecordOptions, type OlderRecordOptions } from './older-records.ts';
import { wholeNumber } from './options.ts';
import type { Terminal } from './terminal.ts';

export interface ChainOptions extends OlderRecordOptions {
  readonly import?: string;
  readonly commitDepth: number;
  readonly livenessWindow: number;
  readonly eventSchema: number;
}

/** `--import` and how it is read, `--commit-depth`, `--liveness-window`, `--event-schema`. */
export function withChainOptions(command: Command): Command {
  const described = command
    .option(
      '--import <file>',
      'start from an export of the older network, or of another chain; look at it with "hotledger import" first',
    )
    .option('--commit-depth <2|3>', "2, or 3 for the original paper's rule", wholeNumber(2, 3), 2)
    .option(
      '--liveness-window <seconds>',
      'a node counts as active while it was heard from within this time',
      wholeNumber(MIN_LIVENESS_WINDOW_SECONDS, MAX_LIVENESS_WINDOW_SECONDS),
      3600,
    )
    .option(
      '--event-schema <n>',
      'the newest forms of events at the start; less, where validators of an older program take part',
      wholeNumber(1, NEWEST_EVENT_SCHEMA),
      NEWEST_EVENT_SCHEMA,
    );
  return withOlderRecordOptions(described);
}

/**
 * The first state and rules of a chain that starts now.
 *
 * @param validators peer ids of its validators, where they are known
 * @throws CodedError those of `readOlderRecords`
 */
export async function startOfChain(
  options: ChainOptions,
  validators: readonly string[],
  terminal: Terminal,
): Promise<Pick<Genesis, 'timestamp' | 'commitDepth' | 'parameters' | 'records'>> {
  const imported =
    options.import === undefined ? undefined : await readOlderRecords(options.import, options, validators, terminal);
  return {
    // No record is newer than the chain that it is in.
    timestamp: Math.max(Math.floor(Date.now() / 1000), imported?.latestTimeSeconds ?? 0),
    commitDepth: options.commitDepth === 3 ? 3 : 2,
    parameters: { livenessWindowSeconds: options.livenessWindow, eventSchema: options.eventSchema },
    records: imported?.records ?? [],
  };
}
