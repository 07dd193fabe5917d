/** A replay in a process of its own: `node replay-process.ts DATA GENESIS TO`. Prints one line of JSON. */
import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { readGenesisFile } from '../../src/node/genesis-file.ts';
import { replayLedger } from '../../src/node/replay.ts';
import { openSource } from '../../src/node/replay/open-source.ts';
import { CATALOG } from '../../src/projections/catalog.ts';

export interface ReplayedInProcess {
  readonly events: number;
  readonly seconds: number;
  /**
   * Of its own: tables of LevelDB that are mapped into the process count among what is resident, as many as there are, and
   * are the system's to take away.
   */
  readonly peakMegabytes: number;
  readonly peakResidentMegabytes: number;
}

const [dataDirectory = '', genesisFile = '', to = ''] = process.argv.slice(2);
const into = join(dataDirectory, 'replay');
let peakKib = 0;
const source = await openSource(dataDirectory);
const { events, seconds } = await replayLedger({
  source,
  genesis: await readGenesisFile(genesisFile),
  dataDirectory,
  into,
  to: Number(to),
  verifySignatures: false,
  verifySeals: true,
  threads: cpus().length,
  projections: CATALOG,
  compare: false,
  swap: false,
  olderRows: 'keep',
  onProgress: () => {
    peakKib = Math.max(peakKib, ownKib());
  },
  onNote: () => undefined,
});
await source.close();
await rm(into, { recursive: true });
const KIB_PER_MB = 1_000_000 / 1024;
const replayed: ReplayedInProcess = {
  events,
  seconds,
  peakMegabytes: peakKib / KIB_PER_MB,
  peakResidentMegabytes: process.resourceUsage().maxRSS / KIB_PER_MB,
};
process.stdout.write(JSON.stringify(replayed));

/** Linux tells it apart; elsewhere all that is resident. */
function ownKib(): number {
  try {
    const [, kib] = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
    if (kib !== undefined) return Number(kib);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  return process.memoryUsage.rss() / 1024;
}
