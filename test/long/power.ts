/**
 * A power cut for a real process. `kill -9` leaves what was written in the page cache; so the writes and syncs of a node
 * are traced (strace), and after the kill each file that it wrote is cut to what was synced, or somewhere in what came
 * after, as a disk might have got to.
 *
 *     write 100, write 50, fdatasync, write 70, kill     ->     150 to 220 bytes are left
 *
 * What a directory says is taken to be durable: names of files are neither lost nor brought back.
 */
import { execFile } from 'node:child_process';
import { readFile, realpath, stat, truncate } from 'node:fs/promises';
import { basename, sep } from 'node:path';
import { promisify } from 'node:util';
import type { Random } from '../../src/base/random.ts';
import type { TestNetwork } from '../e2e/harness.ts';
import { eventually } from '../eventually.ts';

const run = promisify(execFile);
const CALLS = 'openat,write,pwrite64,writev,ftruncate,fdatasync,fsync,rename';
/** LevelDB's own diary, and its lock, which nothing reads. */
const NOT_DATA = new Set(['LOG', 'LOG.old', 'LOCK']);

interface FileState {
  writtenBytes: number;
  syncedBytes: number;
}

/** Whether this machine lets this process trace another, and has what it takes. */
export function canTrace(): Promise<boolean> {
  return run('strace', ['-D', '-f', '-o', '/dev/null', 'true']).then(
    () => true,
    () => false,
  );
}

/** For `NetworkOptions.through`: the tracer is a grandchild, so that a signal reaches the node itself. */
export function traced(traceFile: string): readonly string[] {
  return ['strace', '-D', '-f', '-y', '--seccomp-bpf', '-s', '0', '-e', `trace=${CALLS}`, '-o', traceFile];
}

/**
 * Takes from a node that was killed what it had not synced.
 *
 * @returns how many bytes, of all its files
 */
export async function cutPower(network: TestNetwork, name: string, traceFile: string, random: Random): Promise<number> {
  const whole = await eventually(`the trace of ${name} is whole`, async () => {
    const text = await readFile(traceFile, 'utf8');
    const { pid } = network.process(name);
    return new RegExp(`^${pid} +\\+\\+\\+ killed by SIGKILL`, 'm').test(text) ? text : undefined;
  });
  const data = (await realpath(network.node(name).dataDirectory)) + sep;
  let lostBytes = 0;
  for (const [path, { syncedBytes }] of filesOf(whole)) {
    if (!path.startsWith(data) || NOT_DATA.has(basename(path))) continue;
    const size = await stat(path).then(
      (found) => found.size,
      () => 0,
    );
    if (size <= syncedBytes) continue;
    const left = syncedBytes + (random.chance(0.5) ? 0 : random.below(size - syncedBytes));
    await truncate(path, left);
    lostBytes += size - left;
  }
  return lostBytes;
}

/** What each file held and what of it was durable, by the calls in a trace. */
export function filesOf(trace: string): Map<string, FileState> {
  const files = new Map<string, FileState>();
  const unfinished = new Map<string, (result: string) => void>();
  for (const line of trace.split('\n')) {
    const [, thread = '', rest = ''] = /^(\d+) +(.*)$/.exec(line) ?? [];
    const resumed = /^<\.\.\. (\w+) resumed>.*= (.+)$/.exec(rest);
    if (resumed !== null) {
      unfinished.get(thread)?.(resumed[2] ?? '');
      unfinished.delete(thread);
      continue;
    }
    const [, call = '', args = ''] = /^(\w+)\((.*)$/.exec(rest) ?? [];
    const finish = begin(files, call, args);
    if (args.endsWith('<unfinished ...>')) unfinished.set(thread, finish);
    else finish(/= (\S.*)$/.exec(args)?.[1] ?? '');
  }
  return files;
}

/** @returns what to do with its result, once the call is done: a sync covers what was written before it began */
function begin(files: Map<string, FileState>, call: string, args: string): (result: string) => void {
  if (call === 'openat') return (result) => opened(files, args, result);
  if (call === 'rename') return (result) => renamed(files, args, result);
  const [, path = ''] = /^\d+<([^>]+)>/.exec(args) ?? [];
  const file = files.get(path);
  if (file === undefined) return () => undefined;
  if (call === 'fdatasync' || call === 'fsync') {
    const { writtenBytes } = file;
    return (result) => {
      if (result === '0') file.syncedBytes = Math.max(file.syncedBytes, writtenBytes);
    };
  }
  return (result) => {
    file.writtenBytes += Math.max(0, Number.parseInt(result, 10));
  };
}

/** Files are written from their beginning, once: what is there before is another file's. */
function opened(files: Map<string, FileState>, args: string, result: string): void {
  const [, path] = /^\d+<([^>]+)>/.exec(result) ?? [];
  if (path !== undefined && args.includes('O_TRUNC')) files.set(path, { writtenBytes: 0, syncedBytes: 0 });
}

function renamed(files: Map<string, FileState>, args: string, result: string): void {
  const [, from = '', to = ''] = /^"([^"]*)", "([^"]*)"/.exec(args) ?? [];
  const file = files.get(from);
  if (file === undefined || result !== '0') return;
  files.delete(from);
  files.set(to, file);
}
