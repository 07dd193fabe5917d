/**
 * One life of a migration with its backup: `ended.ts <data directory> <effects>`. It ends by SIGKILL before it does anything
 * more to the disk than so many effects: files made, linked, copied, renamed and removed, stores opened, batches written.
 * Where it comes to its end, it prints how many there were.
 */
import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { migrate } from '../../../src/node/migrate/migrate.ts';
import { LevelStore } from '../../../src/store/level-store.ts';

const [data = '', allowed = ''] = process.argv.slice(2);
let effects = 0;

function counted<This, Parameters extends unknown[], Returned>(
  effect: (this: This, ...parameters: Parameters) => Returned,
): (this: This, ...parameters: Parameters) => Returned {
  return function (...parameters) {
    if (effects === Number(allowed)) process.kill(process.pid, 'SIGKILL');
    effects++;
    return effect.apply(this, parameters);
  };
}

for (const name of ['copyFile', 'link', 'mkdir', 'open', 'rename', 'rm', 'writeFile'] as const) {
  Object.assign(fs, { [name]: counted(Reflect.get(fs, name) as (...parameters: unknown[]) => unknown) });
}
// The functions that modules have imported by name.
syncBuiltinESMExports();
LevelStore.open = counted(LevelStore.open.bind(LevelStore));
const batch: LevelStore['batch'] = Reflect.get(LevelStore.prototype, 'batch');
LevelStore.prototype.batch = counted<LevelStore, Parameters<LevelStore['batch']>, Promise<void>>(batch);

await migrate(data, { direction: 'up', backup: true, onProgress: () => undefined });
process.stdout.write(String(effects));
