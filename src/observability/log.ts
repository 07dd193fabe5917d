/** Structured logs by pino: one JSON object a line, level and component on each, never a key. */
import { pino, type Logger } from 'pino';

export type { Logger } from 'pino';

export interface LogOptions {
  readonly level: string;
  /** A file to append to; absent: standard output. */
  readonly file?: string | undefined;
}

/** @returns a root logger; rooms take `log.child({ component })` */
export function createLog(options: LogOptions): Logger {
  // A trace is for whoever asks what happened just before the end: each line is written before what follows it is done.
  const sync = options.level === 'trace';
  // One byte holds nothing back; with none, `flush` would not wait for what is on its way.
  const how = { sync, minLength: 1 };
  const destination = pino.destination(
    options.file === undefined ? { dest: 1, ...how } : { dest: options.file, append: true, mkdir: true, ...how },
  );
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

/** Writes out what is buffered; called before the process ends. */
export function flushLog(log: Logger): Promise<void> {
  return new Promise((resolve) => {
    log.flush(() => {
      resolve();
    });
  });
}
