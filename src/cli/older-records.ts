/** Options and reading of an export of the older network, for the commands that make a genesis or look at one. */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { InvalidArgumentError, type Command } from 'commander';
import { codedError, unwrap } from '../base/result.ts';
import { importRecords, type ImportOutcome } from '../ledger/import.ts';
import type { Terminal } from './terminal.ts';

export interface OlderRecordOptions {
  readonly referenceTime?: number;
  readonly staked?: string;
  /** That the new chain begins with; left out: the newest. */
  readonly eventSchema?: number;
}

/** `--reference-time`, `--staked`. */
export function withOlderRecordOptions(command: Command): Command {
  return command
    .option(
      '--reference-time <time>',
      'when the records were exported: unix seconds or RFC 3339 (default: now)',
      moment,
    )
    .option('--staked <file>', 'peer ids that you attest as staked, in a file: one a line, or a JSON list');
}

/**
 * @param validators peer ids of the new network's validators
 * @throws CodedError `import-not-found`, or what the import refuses as a whole
 */
export async function readOlderRecords(
  path: string,
  options: OlderRecordOptions,
  validators: readonly string[],
  terminal: Terminal,
): Promise<ImportOutcome> {
  const text = await readText(resolve(terminal.directory, path));
  const staked = options.staked === undefined ? [] : await readPeerIds(options.staked, terminal);
  const schema = options.eventSchema === undefined ? {} : { eventSchema: options.eventSchema };
  const referenceTimeSeconds = options.referenceTime ?? Math.floor(Date.now() / 1000);
  return unwrap(importRecords(text, { referenceTimeSeconds, staked, validators, ...schema }));
}

/** Peer ids separated by blanks, commas or lines, or as a JSON list. @throws CodedError `import-not-found`, `usage` */
export async function readPeerIds(path: string, terminal: Terminal): Promise<string[]> {
  const text = (await readText(resolve(terminal.directory, path))).trim();
  if (!text.startsWith('[')) return text.split(/[\s,]+/).filter((id) => id !== '');
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch {
    list = undefined;
  }
  if (Array.isArray(list) && list.every((id) => typeof id === 'string')) return list;
  throw codedError('usage', `${path} is not a list of peer ids`);
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw codedError('import-not-found', `cannot read ${path}`, { path }, { cause: error });
  }
}

function moment(text: string): number {
  const seconds = /^\d{1,10}$/.test(text) ? Number(text) : Math.floor(Date.parse(text) / 1000);
  if (!Number.isSafeInteger(seconds) || seconds < 0) {
    throw new InvalidArgumentError('Write unix seconds, or a time such as 2024-08-26T12:00:00Z.');
  }
  return seconds;
}
