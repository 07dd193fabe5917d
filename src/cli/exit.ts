/** Exit codes, documented in docs/cli.md, and how an error is told: its code, what happened, what to do next. */
import { CodedError, codedError, type Refusal } from '../base/result.ts';
import { stringifyWithDigits } from '../ledger/record-view.ts';
import { adviceFor } from './advice.ts';
import type { Terminal } from './terminal.ts';

export const EXIT = {
  ok: 0,
  error: 1,
  /** Flags or configuration that make no sense. */
  usage: 2,
  /** An answer that cannot be verified, or is not fresh enough. */
  unverified: 3,
  /** The network refused what was submitted. */
  refused: 4,
  /** Nobody answered, or no quorum: the same command may succeed later. */
  unavailable: 5,
  /** Two things that must be equal are not. */
  differs: 6,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** A failure with an exit code of its own; anything else that is thrown exits by its code, or with 1. */
export class CommandFailure extends CodedError {
  readonly exit: ExitCode;
  /** The command has printed what there is to say; with `--json` nothing may follow it. */
  readonly told: boolean;

  constructor(exit: ExitCode, refusal: Refusal, told = false) {
    super(refusal);
    this.exit = exit;
    this.told = told;
  }
}

/** Nobody answering is another matter than an answer that does not hold. */
export function unverified(refusal: Refusal): CommandFailure {
  const silent = refusal.code === 'peer-unreachable';
  return new CommandFailure(silent ? EXIT.unavailable : EXIT.unverified, refusal);
}

const UNAVAILABLE = new Set([
  ...['node-not-running', 'peer-unreachable', 'no-quorum', 'busy', 'dial-failed', 'deadline'],
  ...['leadership-lost', 'transferring', 'transfer-failed', 'not-caught-up', 'raft-configuration-pending'],
]);
/** A Raft cluster does not do what was asked, however often. */
const REFUSED = new Set([
  ...['not-leader', 'raft-unknown-server', 'raft-no-such-voter', 'raft-configuration-invalid', 'raft-id-not-address'],
  ...['raft-list-malformed', 'raft-list-signer', 'raft-list-signature', 'raft-list-older', 'base-exists'],
]);

export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof CommandFailure) return error.exit;
  if (!(error instanceof CodedError)) return EXIT.error;
  if (error.code.startsWith('config-') || error.code === 'usage') return EXIT.usage;
  if (REFUSED.has(error.code)) return EXIT.refused;
  return UNAVAILABLE.has(error.code) ? EXIT.unavailable : EXIT.error;
}

/** Prints the error: one JSON object on standard output with `--json`, else lines on standard error. */
export function tellError(error: unknown, json: boolean, terminal: Terminal): void {
  if (error instanceof CommandFailure && error.told && json) return;
  const { code, message, details } = describe(error);
  const next = adviceFor(code);
  if (json) {
    terminal.out(stringifyWithDigits({ error: { code, message, details, ...(next === undefined ? {} : { next }) } }));
    return;
  }
  terminal.err(`hotledger: error ${code}: ${message}`);
  const numbers = Object.entries(details).map(([name, value]) => `${name}=${String(value)}`);
  if (numbers.length > 0) terminal.err(`  ${numbers.join(' ')}`);
  if (next !== undefined) terminal.err(`  ${next}`);
}

function describe(error: unknown): Refusal {
  if (error instanceof CodedError) return error;
  if (isOfFiles(error)) return codedError('file-unusable', error.message, pathOf(error));
  const message = error instanceof Error ? error.message : String(error);
  const stack = error instanceof Error && error.stack !== undefined ? { stack: error.stack } : {};
  return { code: 'unexpected', message, details: stack };
}

/** What an operator can mend: a file where a directory is expected, no permission, a full disk. */
const FILE_ERRORS = new Set([
  ...['EACCES', 'EPERM', 'EISDIR', 'ENOTDIR', 'EEXIST', 'ENOENT', 'ENOTEMPTY', 'ENOSPC', 'EDQUOT', 'EROFS', 'EIO'],
  ...['EMFILE', 'ENFILE', 'ENAMETOOLONG', 'ELOOP', 'EXDEV', 'EBUSY'],
]);
const NETWORK_CALLS = new Set(['connect', 'listen', 'bind', 'getaddrinfo']);

function isOfFiles(error: unknown): error is NodeJS.ErrnoException {
  const { code = '', syscall } = error instanceof Error ? (error as NodeJS.ErrnoException) : {};
  return FILE_ERRORS.has(code) && syscall !== undefined && !NETWORK_CALLS.has(syscall) && !syscall.startsWith('spawn');
}

function pathOf({ path }: NodeJS.ErrnoException): Readonly<Record<string, string>> {
  return path === undefined ? {} : { path };
}
