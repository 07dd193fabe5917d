/** Structured logs by pino: one JSON object a line, level and component on each, never a key. */
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { pino, type Logger } from 'pino';
import { codedError } from '../base/result.ts';

export type { Logger } from 'pino';

export interface LogOptions {
  readonly level: string;
  /** A file to append to; absent: standard output. */
  readonly file?: string | undefined;
}

/**
 * @returns a root logger; rooms take `log.child({ component })`
 * @throws CodedError `log-file-unusable`
 */
export function createLog(options: LogOptions): Logger {
  if (options.file !== undefined) checkFile(options.file);
  // A trace is for whoever asks what happened just before the end: each line is written before what follows it is done.
  const sync = options.level === 'trace';
  // One byte holds nothing back; with none, `flush` would not wait for what is on its way.
  const how = { sync, minLength: 1 };
  const destination = pino.destination(
    options.file === undefined ? { dest: 1, ...how } : { dest: options.file, append: true, mkdir: true, ...how },
  );
  destination.on('error', (error: Error) => {
    silence(destination, error);
  });
  return pino(
    {
      level: options.level,
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: ['identityKeyHex', '*.identityKeyHex', 'secretKey', '*.secretKey'], censor: '[secret]' },
    },
    destination,
  );
}

type Destination = ReturnType<typeof pino.destination>;

/**
 * A node whose disk is full goes on without its log, and says so once. Left as it is, the destination would try to write
 * what it holds for ever when the process ends (sonic-boom 4, `flushSync`). As pino does for a pipe that nobody reads.
 */
function silence(destination: Destination, error: Error): void {
  if (destination.write === nothing) return;
  process.stderr.write(`hotledger: error log-file-unusable: the log cannot be written: ${error.message}\n`);
  const flush = (done?: () => void): void => done?.();
  Object.assign(destination, { write: nothing, end: nothing, flushSync: nothing, destroy: nothing, flush });
}

function nothing(): boolean {
  return true;
}

function checkFile(file: string): void {
  try {
    mkdirSync(dirname(file), { recursive: true });
    closeSync(openSync(file, 'a'));
  } catch (error) {
    throw codedError('log-file-unusable', `the log cannot be written: ${(error as Error).message}`, { file });
  }
}

/** Writes out what is buffered; called before the process ends. */
export function flushLog(log: Logger): Promise<void> {
  return new Promise((resolve) => {
    log.flush(() => {
      resolve();
    });
  });
}
