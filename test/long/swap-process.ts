/**
 * `node swap-process.ts <configuration> <n>`: a replay that puts rebuilt rows in place, in a process that ends itself with -9 as
 * it is about to write its n-th batch.
 */
import { loadConfig } from '../../src/node/config.ts';
import { LevelStore } from '../../src/store/level-store.ts';
import { replayOf } from '../node/replaying.ts';

const [file = '', last = ''] = process.argv.slice(2);
// eslint-disable-next-line @typescript-eslint/unbound-method -- called on the store that it is of
const { batch } = LevelStore.prototype;
let batches = 0;
LevelStore.prototype.batch = function (operations, options) {
  if (++batches === Number(last)) process.kill(process.pid, 'SIGKILL');
  return batch.call(this, operations, options);
};
const { config } = await loadConfig({ file, environment: {}, flags: {}, directory: process.cwd() });
await replayOf(config, { verifySeals: false, swap: true });
