/** `hotledger replay`: everything again from the log, compared with what is kept. */
import { Command } from 'commander';
import { configOf } from './options.ts';
import type { Terminal } from './terminal.ts';

interface Options {
  readonly config?: string;
  readonly json?: true;
}

export function replayCommand(terminal: Terminal): Command {
  return new Command('replay').action((options: Options) => replay(options, terminal));
}

async function replay(options: Options, terminal: Terminal): Promise<void> {
  await configOf(options.config, {}, terminal);
}
