/**
 * How worker threads end. V8 takes the whole process down where a thread is terminated just as a module of it goes on that
 * waited for another one (a failed check in `AsyncModuleExecutionFulfilled`; https://github.com/nodejs/node/issues/43182 is of
 * that kind). So one that may still load its modules is never terminated: it is asked to end, or waited for first.
 */
import type { MessagePort, Worker } from 'node:worker_threads';

const END = 'end';
/** The thread of a worker that has exited. */
const GONE = -1;

/** In a worker: what it is sent, until it is asked to end. @param letGo of what would keep it alive */
export function onMessages<T>(port: MessagePort, use: (message: T) => void, letGo?: () => Promise<void>): void {
  const end = async (): Promise<void> => {
    await letGo?.();
    port.close();
  };
  port.on('message', (message: T | typeof END) => {
    if (message === END) void end();
    else use(message);
  });
}

/** In a worker: says that its module, and all that it imports, have been executed. */
export function whenLoaded(say: () => void): void {
  setImmediate(say);
}

/** Ends a worker that listens by `onMessages`, after what it was sent before. */
export async function endWorker(worker: Worker): Promise<void> {
  const exited = exitOf(worker);
  worker.postMessage(END);
  await exited;
}

/** Ends a worker in the midst of its work. @param loaded that it said so by `whenLoaded` */
export async function haltWorker(worker: Worker, loaded: Promise<unknown>): Promise<void> {
  await Promise.race([loaded, exitOf(worker)]);
  await worker.terminate();
}

function exitOf(worker: Worker): Promise<void> {
  if (worker.threadId === GONE) return Promise.resolve();
  return new Promise((resolve) => {
    worker.once('exit', () => {
      resolve();
    });
  });
}
