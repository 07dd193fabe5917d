/**
 * The bare skeleton of the protocol: four processes, plain TCP, the same cryptography, fdatasync, and nothing else.
 * What a validator adds to it (libp2p and TLS, execution, proofs, LevelDB, the mempool, bounds, failures) is the price
 * of the product; the benchmark reports it as a ratio.
 *
 *     node bench/skeleton/main.ts --commits 300
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { summarize, type Summary } from '../measure.ts';
import type { Command, Report } from './process.ts';

export interface SkeletonResult {
  readonly commits: number;
  readonly latency: Summary;
  /** User and system time of all four processes. */
  readonly cpuPerCommitMs: number;
}

const VALIDATORS = 4;

export interface SkeletonOptions {
  /** Commits before those that are measured. */
  readonly warmUp: number;
  readonly commits: number;
  readonly eventBytes: number;
}

/** @param directory on the disk that the validators use */
export async function runSkeleton(options: SkeletonOptions, directory: string): Promise<SkeletonResult> {
  const folder = mkdtempSync(join(directory, 'skeleton-'));
  const processes = Array.from({ length: VALIDATORS }, () => fork(new URL('./process.ts', import.meta.url)));
  const died = Promise.race(
    processes.map(async (child) => {
      const [status] = (await once(child, 'exit')) as [number | null];
      throw new Error(`a process of the skeleton ended with status ${String(status)}`);
    }),
  );
  try {
    return await Promise.race([measure(processes, options, folder), died]);
  } finally {
    for (const child of processes) child.kill('SIGKILL');
    rmSync(folder, { recursive: true });
  }
}

async function measure(
  processes: readonly ChildProcess[],
  { commits, eventBytes, warmUp }: SkeletonOptions,
  folder: string,
): Promise<SkeletonResult> {
  const submitter = processes[0]!;
  const listening = await askAll(processes, 'listening', (index) => {
    return { kind: 'start', index, n: VALIDATORS, file: join(folder, `log-${index}`) };
  });
  const ports = listening.map(({ port }) => port);
  await askAll(processes, 'joined', () => ({ kind: 'join', ports }));
  await ask(submitter, 'latencies', { kind: 'submit', commits: warmUp, eventBytes });
  const before = await usageAt(processes, warmUp);
  const { ms } = await ask(submitter, 'latencies', { kind: 'submit', commits, eventBytes });
  const after = await usageAt(processes, warmUp + commits);
  return { commits, latency: summarize(ms), cpuPerCommitMs: (after - before) / commits };
}

/** CPU time of all, once all have committed so many, the same blocks in the same order. */
async function usageAt(processes: readonly ChildProcess[], commits: number): Promise<number> {
  for (;;) {
    const usage = await askAll(processes, 'usage', () => ({ kind: 'usage' }));
    if (usage.some((each) => each.commits < commits)) continue;
    if (usage.some((each) => each.commits > commits)) throw new Error('an event was committed twice');
    if (new Set(usage.map(({ log }) => log)).size !== 1) throw new Error('the processes committed different blocks');
    return usage.reduce((sum, { cpuMs }) => sum + cpuMs, 0);
  }
}

function askAll<K extends Report['kind']>(
  processes: readonly ChildProcess[],
  answer: K,
  command: (index: number) => Command,
): Promise<Extract<Report, { kind: K }>[]> {
  return Promise.all(processes.map((child, index) => ask(child, answer, command(index))));
}

async function ask<K extends Report['kind']>(
  child: ChildProcess,
  answer: K,
  command: Command,
): Promise<Extract<Report, { kind: K }>> {
  const answered = once(child, 'message');
  child.send(command);
  const [report] = (await answered) as [Report];
  if (report.kind !== answer) throw new Error(`expected ${answer}, got ${report.kind}`);
  return report as Extract<Report, { kind: K }>;
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      'warm-up': { type: 'string', default: '300' },
      commits: { type: 'string', default: '300' },
      'event-bytes': { type: 'string', default: '300' },
    },
  });
  const [warmUp, commits, eventBytes] = [values['warm-up'], values.commits, values['event-bytes']].map(Number);
  console.log(await runSkeleton({ warmUp: warmUp!, commits: commits!, eventBytes: eventBytes! }, tmpdir()));
}
