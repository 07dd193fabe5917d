/** Counts how far it came: 1 once it is loaded, and 1 more for each message. Busy, it goes on for ever then. */
import { parentPort, workerData } from 'node:worker_threads';
import { onMessages, whenLoaded } from '../../../src/node/worker-end.ts';
import { LOADED } from './slow-module.ts';
import { STEPS } from './steps.ts';

const { isBusy, progress } = workerData as { isBusy: boolean; progress: SharedArrayBuffer };
const steps = new Uint8Array(progress);
const port = parentPort!;
onMessages(port, () => {
  steps[STEPS]! += 1;
});
whenLoaded(() => {
  port.postMessage({ stepsWhenLoaded: steps[STEPS] });
  while (isBusy);
});
// The last of its module: who says sooner that it is loaded is seen.
steps[STEPS] = Number(LOADED);
