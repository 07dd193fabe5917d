import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import { endWorker, haltWorker } from '../../src/node/worker-end.ts';
import { STEPS } from './worker-end/steps.ts';

function start(isBusy: boolean): { readonly worker: Worker; readonly steps: Uint8Array } {
  const progress = new SharedArrayBuffer(1);
  const worker = new Worker(new URL('./worker-end/slow-worker.ts', import.meta.url), {
    workerData: { isBusy, progress },
  });
  return { worker, steps: new Uint8Array(progress) };
}

describe('a thread that is ended while it loads', () => {
  test('loads, does what it was sent before, and exits by itself', async () => {
    const { steps, worker } = start(false);
    const exit = once(worker, 'exit');
    worker.postMessage('first');
    worker.postMessage('second');
    await endWorker(worker);
    expect([steps[STEPS], await exit]).toEqual([3, [0]]);
  });

  test('loads before it is ended in the midst of its work', async () => {
    const { steps, worker } = start(true);
    const loaded = once(worker, 'message');
    const exit = once(worker, 'exit');
    await haltWorker(worker, loaded);
    expect([steps[STEPS], await loaded, await exit]).toEqual([1, [{ stepsWhenLoaded: 1 }], [1]]);
  });
});

test('a thread that has exited is not waited for', async () => {
  const { worker } = start(false);
  await endWorker(worker);
  await endWorker(worker);
  await haltWorker(worker, new Promise(() => undefined));
  expect(worker.threadId).toBe(-1);
});

test('a thread that dies while it is waited for has ended', async () => {
  const worker = new Worker('setTimeout(() => { throw new Error("died"); }, 100)', { eval: true });
  worker.on('error', () => undefined);
  await haltWorker(worker, new Promise(() => undefined));
  expect(worker.threadId).toBe(-1);
});
