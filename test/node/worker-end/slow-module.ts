/** A module that takes its time: whoever imports it is loaded long after its thread was started. */
import { setTimeout as delay } from 'node:timers/promises';

const LOADING_MS = 300;

await delay(LOADING_MS);

export const LOADED = true;
