/** Runs the commands that a check is made of, with a time limit, and says how long each took. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

export const root: string = join(import.meta.dirname, '..');

/** In continuous integration nothing is left out: what a check needs and does not find is a failure. */
export const requireAll: boolean = process.env['REQUIRE_ALL'] === '1' || process.env['CI'] === 'true';

export interface Outcome {
  readonly ok: boolean;
  readonly seconds: number;
  readonly output: string;
}

export interface RunOptions {
  readonly limitSeconds: number;
  readonly env?: Readonly<Record<string, string>>;
  /** Show the output while it comes, and do not collect it. */
  readonly live?: boolean;
  readonly cwd?: string;
}

/** The installed commands of this repository come first, so that `node` is the version that the project runs on. */
export async function run(command: string, args: readonly string[], options: RunOptions): Promise<Outcome> {
  const started = performance.now();
  const path = [join(root, 'node_modules', '.bin'), process.env['PATH']].join(delimiter);
  const child = spawn(command, args, {
    cwd: options.cwd ?? root,
    env: { ...process.env, ...options.env, PATH: path, ...(requireAll ? { REQUIRE_ALL: '1' } : {}) },
    stdio: ['ignore', options.live ? 'inherit' : 'pipe', options.live ? 'inherit' : 'pipe'],
    detached: true, // a group of its own, so that the time limit also ends what it started
  });
  let output = '';
  child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const stop = (): void => {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
  };
  const interrupted = (): void => {
    stop();
    // Whatever else runs is stopped before.
    setImmediate(() => process.exit(130));
  };
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted);
  const timer = setTimeout(() => {
    output += `\nstopped: it took longer than ${options.limitSeconds} s\n`;
    stop();
  }, options.limitSeconds * 1000);
  const code = await new Promise<number | null>((resolve) => {
    child.once('error', (error) => {
      output += `${error.message}\n`;
      resolve(null);
    });
    child.once('close', resolve);
  });
  clearTimeout(timer);
  process.off('SIGINT', interrupted).off('SIGTERM', interrupted);
  return { ok: code === 0, seconds: (performance.now() - started) / 1000, output };
}

/** One line a check or group, in columns: name, time, what there is to say. */
export function line(name: string, seconds: number, text: string): string {
  return `${name.padEnd(14)}${seconds.toFixed(1).padStart(7)} s  ${text}`;
}

export interface Totals {
  passed: number;
  failed: number;
  skipped: number;
}

/** What the test runner's report, as JSON, says of a file. */
export interface FileResult {
  readonly name: string;
  readonly status: string;
  readonly startTime: number;
  readonly endTime: number;
  /** Of a file that did not get as far as its tests. */
  readonly message: string;
  readonly assertionResults: readonly {
    readonly fullName: string;
    readonly status: string;
    readonly failureMessages?: readonly string[];
  }[];
}

/** Runs tests, shows what the runner prints, and reads its report: no files where it did not get as far as that. */
export async function runTests(
  args: readonly string[],
  options: Omit<RunOptions, 'live'>,
): Promise<Omit<Outcome, 'output'> & { readonly files: readonly FileResult[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'hotledger-test-'));
  const report = join(folder, 'report.json');
  const reporting = ['--reporter=json', `--outputFile.json=${report}`];
  const { ok, seconds } = await run('vitest', ['run', ...args, ...reporting], { ...options, live: true });
  const files = readReport(report);
  rmSync(folder, { recursive: true });
  return { ok, seconds, files };
}

function readReport(path: string): readonly FileResult[] {
  try {
    return (JSON.parse(readFileSync(path, 'utf8')) as { testResults: FileResult[] }).testResults;
  } catch (error) {
    console.log(`the test runner wrote no report: ${String(error)}`);
    return [];
  }
}

/** The last line of a run, and its exit status. */
export function conclude(totals: Totals): void {
  console.log(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`);
  process.exitCode = totals.failed === 0 ? 0 : 1;
}
