/** The command line: one program, one file a command. */
import { Command, CommanderError } from 'commander';
import { codedError } from '../base/result.ts';
import { PROGRAM_VERSION } from '../node/program-version.ts';
import { devnetCommand } from './devnet.ts';
import { EXIT, exitCodeOf, tellError } from './exit.ts';
import { exportCommand } from './export.ts';
import { genesisCommand } from './genesis.ts';
import { getCommand } from './get.ts';
import { historyCommand } from './history.ts';
import { importCommand } from './import.ts';
import { initCommand } from './init.ts';
import { migrateCommand } from './migrate.ts';
import { raftCommand } from './raft.ts';
import { rebuildCommand } from './rebuild.ts';
import { replayCommand } from './replay.ts';
import { snapshotCommand } from './snapshot.ts';
import { startCommand } from './start.ts';
import { statisticsCommand } from './statistics.ts';
import { statusCommand } from './status.ts';
import { submitCommand } from './submit.ts';
import { processTerminal, type Terminal } from './terminal.ts';
import { testnetCommand } from './testnet.ts';
import { validatorsCommand } from './validators.ts';
import { verifyCommand } from './verify.ts';
import { watchCommand } from './watch.ts';

const EXIT_CODES = `
Exit codes: 0 done, 1 error, 2 usage or configuration, 3 cannot be verified, 4 refused by the network,
            5 nobody answered or no quorum (try again later), 6 two things that must be equal are not.
Errors carry a stable code; docs/errors.md lists them all.`;

/**
 * Runs one command line.
 *
 * @param argv the arguments after the program's name
 * @returns the exit code
 */
export async function main(argv: readonly string[], terminal: Terminal = processTerminal()): Promise<number> {
  try {
    await programFor(terminal).parseAsync(argv, { from: 'user' });
    return EXIT.ok;
  } catch (error) {
    // Commander has printed its message, or the help that was asked for, already.
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return EXIT.ok;
      if (argv.includes('--json')) tellError(codedError('usage', error.message), true, terminal);
      return EXIT.usage;
    }
    tellError(error, argv.includes('--json'), terminal);
    return exitCodeOf(error);
  }
}

/** The commands and their flags, for `main` and for whoever checks command lines against them. */
export function programFor(terminal: Terminal): Command {
  const program = new Command('hotledger')
    .description('A Byzantine-fault-tolerant ledger of nodeData: agreed by a quorum, verified by any reader.')
    .version(PROGRAM_VERSION, '-V, --version')
    .addHelpText('after', EXIT_CODES)
    .showHelpAfterError('(add --help for what the command takes)');
  const commands = [
    initCommand,
    genesisCommand,
    testnetCommand,
    startCommand,
    devnetCommand,
    statusCommand,
    submitCommand,
    getCommand,
    watchCommand,
    historyCommand,
    statisticsCommand,
    exportCommand,
    importCommand,
    replayCommand,
    migrateCommand,
    validatorsCommand,
    verifyCommand,
    snapshotCommand,
    rebuildCommand,
    raftCommand,
  ];
  for (const command of commands) program.addCommand(command(terminal));
  for (const command of withSubcommands(program)) {
    command.exitOverride().configureOutput({
      writeOut: (text) => {
        terminal.out(text.trimEnd());
      },
      writeErr: (text) => {
        terminal.err(text.trimEnd());
      },
    });
  }
  return program;
}

function withSubcommands(command: Command): readonly Command[] {
  return [command, ...command.commands.flatMap(withSubcommands)];
}
