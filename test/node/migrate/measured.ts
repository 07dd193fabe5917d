/**
 * What a migration of so many blocks takes: `measured.ts <data directory> <blocks>`. Makes the directory in a process of its
 * own kind first (`measured.ts <data directory> <blocks> make`); prints the peak of its memory and its time as JSON.
 */
import { readFileSync } from 'node:fs';
import { LAYOUT_VERSION } from '../../../src/ledger/layout.ts';
import { migrate } from '../../../src/node/migrate/migrate.ts';
import { ledgerDirectory } from '../../../src/node/open-store.ts';
import { LevelStore } from '../../../src/store/level-store.ts';
import { makeLayoutTwo } from './made-directory.ts';

const [data = '', blocks = '0', make] = process.argv.slice(2);
/** Without the tables that LevelDB has mapped, which the system takes back when it needs to. */
function ownBytes(): number {
  const [, kilobytes = '0'] = /^RssAnon:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  return Number(kilobytes) * 1024;
}

if (make === undefined) {
  let peakBytes = 0;
  const { steps } = await migrate(data, {
    direction: 'up',
    to: LAYOUT_VERSION,
    backup: true,
    onProgress: () => {
      peakBytes = Math.max(peakBytes, ownBytes());
    },
  });
  const { records = 0, seconds = 0 } = steps[0] ?? {};
  console.log(JSON.stringify({ records, seconds, cpuSeconds: process.cpuUsage().user / 1e6, peakBytes }));
} else {
  const store = await LevelStore.open(ledgerDirectory(data), { create: true });
  await makeLayoutTwo(store, Number(blocks));
  await store.close();
}
