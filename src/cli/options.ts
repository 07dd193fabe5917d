/** Options that several commands take, and the parsers of their values. */
import { InvalidArgumentError, Option, type Command } from 'commander';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { ConfigOverlay } from '../node/config-schema.ts';
import { loadConfig, type NodeConfig } from '../node/config.ts';
import { codedError } from '../base/result.ts';
import { parsePeerId } from '../ledger/identity.ts';
import { CommandFailure, EXIT } from './exit.ts';
import type { Terminal } from './terminal.ts';

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `30s`, `500ms`, `2h`; a bare number is seconds. @returns milliseconds */
export function duration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(text);
  if (match === null) throw new InvalidArgumentError('Write a duration such as 500ms, 30s, 10m or 2h.');
  return Number(match[1]) * (UNITS_MS[match[2] ?? 's'] ?? 1000);
}

/** The same above 0: of what nobody can wait for in no time. @returns milliseconds */
export function positiveDuration(text: string): number {
  const milliseconds = duration(text);
  if (milliseconds > 0) return milliseconds;
  throw new InvalidArgumentError('Write a duration above 0, such as 500ms, 30s, 10m or 2h.');
}

/** @returns the canonical text. @throws CommandFailure with the exit code of usage: `peer-id-invalid`, `peer-id-unsupported` */
export function peerIdArgument(text: string): string {
  const parsed = parsePeerId(text);
  if (parsed.ok) return parsed.value.peerId;
  throw new CommandFailure(EXIT.usage, parsed.refusal);
}

/** @returns a parser of whole numbers in [min, max] */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < min || value > max) {
      throw new InvalidArgumentError(`Write a whole number from ${min} to ${max}.`);
    }
    return value;
  };
}

export function positiveNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value > 0) || !Number.isFinite(value)) {
    throw new InvalidArgumentError('Write a number above 0.');
  }
  return value;
}

/** `5%` or `0.05`. @returns 0 to 1 */
export function share(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(%?)$/.exec(text);
  const value = Number(match?.[1]) / (match?.[2] === '%' ? 100 : 1);
  if (!(value >= 0 && value <= 1)) throw new InvalidArgumentError('Write a share such as 5% or 0.05.');
  return value;
}

/** For an option that may be given several times, each with one or more values by commas. */
export function gathered(text: string, before: readonly string[] | undefined): readonly string[] {
  const values = text
    .split(',')
    .map((value) => value.trim())
    .filter((value) => value !== '');
  return [...(before ?? []), ...values];
}

/** How the validators of a new network agree. */
export function consensusOption(when = ''): Option {
  return new Option(
    '--consensus <engine>',
    `${when}hotstuff tolerates malicious validators; raft is faster and trusts all of them`,
  )
    .choices(['hotstuff', 'raft'])
    .default('hotstuff');
}

/** What commands about a running network fall back on: the observer of the devnet that `npm start` makes here. */
const DEVNET_CONFIG = '.devnet/observer/config.json';

export const CONFIG_OPTION = [
  '-c, --config <file>',
  `configuration of the node (default: $HOTLEDGER_CONFIG, else ${DEVNET_CONFIG})`,
] as const;

/** The configuration file that is meant, or undefined when none was named and there is no devnet here. */
export function configFileOf(choice: { readonly config?: string }, terminal: Terminal): string | undefined {
  const named = choice.config ?? terminal.environment['HOTLEDGER_CONFIG'];
  if (named !== undefined) return named;
  return existsSync(resolve(terminal.directory, DEVNET_CONFIG)) ? DEVNET_CONFIG : undefined;
}

/** `--config FILE` or `--data DIR`: which node on this machine is meant. */
export function withNodeChoice(command: Command): Command {
  return command
    .option(...CONFIG_OPTION)
    .option('--data <dir>', "the node's data directory, in place of its configuration");
}

export interface NodeChoice {
  readonly config?: string;
  readonly data?: string;
}

/** @throws CodedError `usage` when neither is given, or as `loadConfig` does */
export async function controlSocketOf(choice: NodeChoice, terminal: Terminal): Promise<string> {
  if (choice.data !== undefined) return join(resolve(terminal.directory, choice.data), 'control.sock');
  const file = configFileOf(choice, terminal);
  if (file === undefined) throw codedError('usage', 'name the node with --config FILE, or set HOTLEDGER_CONFIG');
  return (await configOf(file, {}, terminal)).controlSocket;
}

/** @throws CodedError `usage` when neither is given, or as `loadConfig` does */
export async function dataDirectoryOf(choice: NodeChoice, terminal: Terminal): Promise<string> {
  if (choice.data !== undefined) return resolve(terminal.directory, choice.data);
  const file = configFileOf(choice, terminal);
  if (file === undefined) throw codedError('usage', 'name the node with --config FILE or --data DIR');
  return (await configOf(file, {}, terminal)).dataDirectory;
}

/** The configuration that a command works with; warnings go to standard error. */
export async function configOf(
  file: string | undefined,
  flags: ConfigOverlay,
  terminal: Terminal,
): Promise<NodeConfig> {
  const { config, warnings } = await loadConfig({
    file,
    environment: terminal.environment,
    flags,
    directory: terminal.directory,
  });
  for (const warning of warnings) terminal.err(`hotledger: warning ${warning.code}: ${warning.message}`);
  return config;
}
