/** A rebuild in a thread of its own, which reads the store; its batches are written here, by the store's one writer. */
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { CodedError, codedError } from '../../base/result.ts';
import type { Store } from '../../store/store.ts';
import { haltWorker } from '../worker-end.ts';
import { workerEnvironment } from '../worker-environment.ts';
import type { StartRebuild } from './live-rebuild.ts';
import { unpackOperations } from './packed-operations.ts';
import type { FromRebuild, RebuildTask, ToRebuild } from './rebuild-messages.ts';

/** The first state is in it while it begins, and the tree, 150 bytes a key, is not; where that is not enough, the rebuild fails. */
const WORKER_HEAP = { maxOldGenerationSizeMb: 1024, maxYoungGenerationSizeMb: 64 };
/** A thread that was asked to stop ends after its batch; else it is ended. */
const STOP_DEADLINE_MS = 5_000;

/** @param store the node's own, open with `threads` */
export function rebuildInThread(store: Store, task: Omit<RebuildTask, 'plan'>): StartRebuild {
  return (plan, onProgress) => {
    const loaded = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<number | null>();
    const exited = Promise.withResolvers<void>();
    const worker = new Worker(new URL('./rebuild-worker.ts', import.meta.url), {
      workerData: { ...task, plan } satisfies RebuildTask,
      resourceLimits: WORKER_HEAP,
      env: workerEnvironment(),
    });
    const tell = (message: ToRebuild): void => {
      worker.postMessage(message);
    };
    worker.on('message', (message: FromRebuild) => {
      switch (message.kind) {
        case 'loaded':
          loaded.resolve();
          break;
        case 'progress':
          onProgress(message.progress);
          break;
        case 'write':
          store.batch(unpackOperations(message.packed), { sync: false }).then(
            () => {
              tell({ kind: 'written' });
            },
            (error: unknown) => {
              ended.reject(error);
              void haltWorker(worker, loaded.promise);
            },
          );
          break;
        case 'ended':
          ended.resolve(message.height);
          break;
        case 'failed':
          ended.reject(new CodedError(message.refusal));
          break;
      }
    });
    worker.on('error', (error) => {
      ended.reject(codedError('worker-died', 'the thread that rebuilds projections died', { reason: String(error) }));
    });
    worker.on('exit', (code) => {
      ended.reject(codedError('worker-died', 'the thread that rebuilds projections died', { reason: `exit ${code}` }));
      exited.resolve();
    });
    // Whoever waits for it hears of it; nobody may, while the node stops.
    ended.promise.catch(() => undefined);
    return {
      // Its handle of the store is closed before the node's own is.
      ended: ended.promise.finally(() => exited.promise),
      finishAt: (height) => {
        tell({ kind: 'finishAt', height });
      },
      stop: async () => {
        tell({ kind: 'stop' });
        await Promise.race([exited.promise, delay(STOP_DEADLINE_MS, undefined, { ref: false })]);
        await haltWorker(worker, loaded.promise);
      },
    };
  };
}
