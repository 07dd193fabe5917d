/** Writes down how far it came: 1 once it is loaded, and 1 more for each message. Busy, it goes on for ever then. */
import { parentPort, workerData } from 'node:worker_threads';
import { onMessages, whenLoaded } from '../../../src/node/worker-end.ts';
import { LOADED_AT } from './slow-module.ts';

const { isBusy, progress } = workerData as { isBusy: boolean; progress: SharedArrayBuffer };
const steps = new Uint8Array(progress);
steps[LOADED_AT] = 1;
const port = parentPort!;
onMessages(port, () => {
  steps[LOADED_AT]! += 1;
});
whenLoaded(() => {
  port.postMessage('loaded');
  while (isBusy);
});
