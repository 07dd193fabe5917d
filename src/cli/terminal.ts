/** Where a command prints and what surrounds it: handed in, so that a command is tested without a process of its own. */
import { once } from 'node:events';
import { codedError } from '../base/result.ts';

export interface Terminal {
  /** Whole lines for the reader or the next program in the pipe. */
  out(line: string): void;
  /** Whole lines about the work itself: progress, warnings, errors. */
  err(line: string): void;
  /** Bytes as they are, for a view that redraws itself. */
  raw(text: string): void;
  /** The same of a text that may be long. Resolves when more of it may be given. */
  stream(text: string): Promise<void>;
  /** Whether standard output is a terminal, which a live view needs. */
  readonly interactive: boolean;
  columns(): number;
  rows(): number;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Where relative paths start. */
  readonly directory: string;
}

export function processTerminal(): Terminal {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // Whoever read has gone, as `head` does when it has enough: there is nobody left to print for.
    if (error.code !== 'EPIPE') {
      const { code, message } = codedError('output-failed', `standard output cannot be written: ${error.message}`);
      process.stderr.write(`hotledger: error ${code}: ${message}\n`);
    }
    process.exit(1);
  });
  return {
    out: (line) => void process.stdout.write(`${line}\n`),
    err: (line) => void process.stderr.write(`${line}\n`),
    raw: (text) => void process.stdout.write(text),
    stream: async (text) => {
      if (!process.stdout.write(text)) await once(process.stdout, 'drain');
    },
    interactive: process.stdout.isTTY && process.env['TERM'] !== 'dumb',
    columns: () => process.stdout.columns || 80,
    rows: () => process.stdout.rows || 24,
    environment: process.env,
    directory: process.cwd(),
  };
}
