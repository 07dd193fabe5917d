/** A replay in a process of its own: `node replay-process.ts DATA GENESIS TO`. Prints one line of JSON. */
import { rm } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { readGenesisFile } from '../../src/node/genesis-file.ts';
import { replayLedger } from '../../src/node/replay.ts';
import { openSource } from '../../src/node/replay/open-source.ts';
import { SnapshotFolder } from '../../src/node/snapshot/snapshot-folder.ts';
import { CATALOG } from '../../src/projections/catalog.ts';

export interface ReplayedInProcess {
  readonly events: number;
  readonly seconds: number;
  readonly peakMegabytes: number;
}

const [dataDirectory = '', genesisFile = '', to = ''] = process.argv.slice(2);
const into = join(dataDirectory, 'replay');
const source = await openSource(dataDirectory);
const { events, seconds } = await replayLedger({
  source,
  genesis: await readGenesisFile(genesisFile),
  snapshots: SnapshotFolder.of(dataDirectory),
  into,
  to: Number(to),
  verifySignatures: false,
  verifySeals: true,
  threads: cpus().length,
  projections: CATALOG,
  compare: false,
  swap: false,
  olderRows: 'keep',
  onProgress: () => undefined,
  onNote: () => undefined,
});
await source.close();
await rm(into, { recursive: true });
const KIB_PER_MB = 1_000_000 / 1024;
const replayed: ReplayedInProcess = { events, seconds, peakMegabytes: process.resourceUsage().maxRSS / KIB_PER_MB };
process.stdout.write(JSON.stringify(replayed));
