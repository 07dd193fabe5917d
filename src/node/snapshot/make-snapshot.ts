/** Making a snapshot of a store that is open, in a thread of its own, while the store is written to. */
import { Worker } from 'node:worker_threads';
import { CodedError, codedError, type Result } from '../../base/result.ts';
import { workerEnvironment } from '../worker-environment.ts';
import type { SnapshotFolder } from './snapshot-folder.ts';
import type { SnapshotNews, SnapshotWork, ValuesBefore } from './snapshot-worker.ts';
import { latin1, type WritingProgress, type WrittenSnapshot } from './snapshot-writer.ts';

export interface SnapshotMaking {
  /** Of the store, which this process has open with `threads`. */
  readonly ledger: string;
  readonly chainId: string;
  /** Of a durable block. */
  readonly height: number;
  readonly folder: SnapshotFolder;
  /** Beside a running node: what a round waits for goes first. */
  readonly stepsAside: boolean;
  /** What the state held at the height of all that later blocks changed. Asked once, soon after the beginning. */
  readonly changedSince: (height: number) => Result<ReadonlyMap<string, Uint8Array | undefined>>;
  readonly onProgress: (progress: WritingProgress) => void;
  /** Aborted, it ends with `snapshot-stopped` and leaves nothing. */
  readonly signal: AbortSignal;
}

/** What it holds does not grow with the state: buffers of buckets, a chunk. */
const WORKER_HEAP = { maxOldGenerationSizeMb: 256, maxYoungGenerationSizeMb: 16 };

/**
 * @throws CodedError `snapshot-stopped`, `worker-died`, those of `writeSnapshot` and of `changedSince`: nothing is left
 *   of it then
 */
export async function makeSnapshot(making: SnapshotMaking): Promise<WrittenSnapshot> {
  const { folder, height } = making;
  const directory = await folder.begin(height);
  try {
    const written = await inThread(making, directory);
    await folder.finish(height);
    return written;
  } catch (error) {
    await folder.giveUp(height);
    throw error;
  }
}

function inThread(
  { chainId, changedSince, height, ledger, onProgress, signal, stepsAside }: SnapshotMaking,
  directory: string,
): Promise<WrittenSnapshot> {
  const stop = new SharedArrayBuffer(1);
  const work: SnapshotWork = { ledger, chainId, height, directory, stepsAside, stop };
  const worker = new Worker(new URL('./snapshot-worker.ts', import.meta.url), {
    workerData: work,
    resourceLimits: WORKER_HEAP,
    env: workerEnvironment(),
  });
  const halt = (): void => void Atomics.store(new Uint8Array(stop), 0, 1);
  signal.addEventListener('abort', halt);
  if (signal.aborted) halt();
  const { promise, reject, resolve } = Promise.withResolvers<WrittenSnapshot>();
  let outcome: (() => void) | null = null;
  worker.on('message', (news: SnapshotNews) => {
    if (news.kind === 'progress') onProgress(news.progress);
    else if (news.kind === 'written') outcome = () => resolve(news.snapshot);
    else if (news.kind === 'failed') outcome ??= () => reject(failureOf(news));
    else {
      const before = changedSince(height);
      if (before.ok) return worker.postMessage(messageOf(before.value));
      outcome = () => reject(new CodedError(before.refusal));
      halt();
      worker.postMessage([]);
    }
  });
  worker.on('error', (error: unknown) => {
    outcome = () =>
      reject(codedError('worker-died', 'the snapshot thread died', { reason: String(error) }, { cause: error }));
  });
  // Only then has it let go of the store.
  worker.on('exit', (code) => {
    signal.removeEventListener('abort', halt);
    if (outcome === null)
      reject(codedError('worker-died', 'the snapshot thread died', { reason: `it exited with ${code}` }));
    else outcome();
  });
  return promise;
}

function messageOf(before: ReadonlyMap<string, Uint8Array | undefined>): ValuesBefore {
  return Array.from(before, ([key, value]) => [latin1(Buffer.from(key, 'utf8')), value ?? null]);
}

function failureOf({ reason, refusal }: Extract<SnapshotNews, { kind: 'failed' }>): Error {
  return refusal === null ? new Error(`the snapshot thread failed: ${reason}`) : new CodedError(refusal);
}
