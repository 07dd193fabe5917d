/**
 * One life of a migration: `killed.ts <data directory> <up|down> <batches>`. It ends by SIGKILL when so many batches are
 * written, or says `done`.
 */
import { LAYOUT_VERSION } from '../../../src/ledger/layout.ts';
import { migrate } from '../../../src/node/migrate/migrate.ts';
import { LevelStore } from '../../../src/store/level-store.ts';

const [data = '', direction = 'up', batches = '1'] = process.argv.slice(2);
let written = 0;
const batch: LevelStore['batch'] = Reflect.get(LevelStore.prototype, 'batch');
LevelStore.prototype.batch = async function (this: LevelStore, operations, options) {
  await batch.call(this, operations, options);
  if (++written === Number(batches)) process.kill(process.pid, 'SIGKILL');
};
const to = direction === 'up' ? LAYOUT_VERSION : 2;
await migrate(data, { direction: direction === 'up' ? 'up' : 'down', to, backup: false, onProgress: () => undefined });
console.log('done');
