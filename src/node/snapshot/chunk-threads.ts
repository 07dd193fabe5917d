/** Chunks of a snapshot checked on several cores, and handed on in the order of their indexes or as they come. */
import { Worker } from 'node:worker_threads';
import { CodedError, codedError } from '../../base/result.ts';
import { endWorker } from '../worker-end.ts';
import { workerEnvironment } from '../worker-environment.ts';
import type { ChunkAnswer, ChunkTask, ChunkWork } from './chunk-worker.ts';

/** One that is worked on and one behind it. */
const TASKS_PER_THREAD = 2;
/** A chunk of 8 MiB decoded, twice. */
const WORKER_HEAP = { maxOldGenerationSizeMb: 512, maxYoungGenerationSizeMb: 32 };

type Done = Extract<ChunkAnswer, { kind: 'done' }>;

/**
 * Works through the tasks, in their order, on so many threads.
 *
 * @param done called for each as it is done, in any order; the next are handed out when it resolves
 * @throws CodedError why the first chunk that does not hold was refused (with its `chunk`), `worker-died`, and what `done`
 *   throws. What other threads were at is done when it throws
 */
export async function throughChunks(
  work: ChunkWork,
  tasks: readonly ChunkTask[],
  threads: number,
  done: (answer: Done) => void | Promise<void>,
): Promise<void> {
  let next = 0;
  let failure: Error | null = null;
  const run = async (): Promise<void> => {
    const worker = new Worker(new URL('./chunk-worker.ts', import.meta.url), {
      workerData: work,
      resourceLimits: WORKER_HEAP,
      env: workerEnvironment(),
    });
    const answers = answersOf(worker);
    try {
      await answers.ready;
      const lane = async (): Promise<void> => {
        while (failure === null && next < tasks.length) await done(await answers.ask(tasks[next++] as ChunkTask));
      };
      await Promise.all(Array.from({ length: TASKS_PER_THREAD }, lane));
    } finally {
      await answers.close();
    }
  };
  const lanes = Array.from({ length: Math.max(1, Math.min(threads, tasks.length)) }, () =>
    run().catch((error: unknown) => {
      failure ??= error instanceof Error ? error : new Error(String(error));
    }),
  );
  await Promise.all(lanes);
  if (failure !== null) throw failure as Error;
}

interface Answers {
  readonly ready: Promise<void>;
  ask(task: ChunkTask): Promise<Done>;
  close(): Promise<void>;
}

function answersOf(worker: Worker): Answers {
  const waiting = new Map<number, PromiseWithResolvers<Done>>();
  const ready = Promise.withResolvers<void>();
  let death: CodedError | null = null;
  const died = (reason: string): void => {
    death ??= codedError('worker-died', 'a chunk thread died', { reason });
    ready.reject(death);
    for (const { reject } of waiting.values()) reject(death);
    waiting.clear();
  };
  worker.on('message', (answer: ChunkAnswer | 'ready') => {
    if (answer === 'ready') return ready.resolve();
    const asked = waiting.get(answer.index);
    waiting.delete(answer.index);
    if (answer.kind === 'done') asked?.resolve(answer);
    else if (answer.refusal !== null) asked?.reject(new CodedError(answer.refusal));
    else asked?.reject(new Error(`a chunk thread failed: ${(answer as { readonly reason: string }).reason}`));
  });
  worker.on('error', (error: unknown) => died(String(error)));
  worker.on('exit', (code) => died(`it exited with ${code}`));
  // Who waits for nothing more need not hear of it.
  ready.promise.catch(() => undefined);
  return {
    ready: ready.promise,
    ask(task) {
      if (death !== null) return Promise.reject(death);
      const asked = Promise.withResolvers<Done>();
      waiting.set(task.index, asked);
      worker.postMessage(task);
      return asked.promise;
    },
    close: () => endWorker(worker),
  };
}
