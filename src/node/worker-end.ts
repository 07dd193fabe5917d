/**
 * How worker threads end. V8 takes the whole process down where a thread is terminated just as a module of it goes on that
 * waited for another one (a failed check in `AsyncModuleExecutionFulfilled`; https://github.com/nodejs/node/issues/43182 is of
 * that kind). So one that may still load its modules is never terminated: it is asked to end, or waited for first.
 */
import type { MessagePort, Worker } from 'node:worker_threads';

const END = 'end';

/** In a worker: what it is sent, until it is asked to end. */
export function onMessages<T>(port: MessagePort, use: (message: T) => void): void {
  port.on('message', (message: T | typeof END) => {
    if (message === END) port.close();
    else use(message);
  });
}

/** Ends a worker that listens by `onMessages`, after what it was sent before. @returns its exit code */
export async function endWorker(worker: Worker): Promise<number> {
  const exited = exitOf(worker);
  worker.postMessage(END);
  return exited;
}

/** In a worker, at the end of its module: says so once that and all that it imports have been executed. */
export function whenLoaded(say: () => void): void {
  setImmediate(say);
}

/** Ends a worker in the midst of its work. @param loaded that it said so by `whenLoaded` */
export async function haltWorker(worker: Worker, loaded: Promise<unknown>): Promise<void> {
  await Promise.race([loaded, exitOf(worker)]);
  await worker.terminate();
}

/** One that has exited already has no thread. */
function exitOf(worker: Worker): Promise<number> {
  if (worker.threadId === GONE) return Promise.resolve(0);
  return new Promise((resolve) => void worker.once('exit', resolve));
}

const GONE = -1;
