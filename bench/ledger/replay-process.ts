/** A replay in a process of its own: `node replay-process.ts DATA GENESIS TO none|seals|all`. Prints one line of JSON. */
import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { readGenesisFile } from '../../src/node/genesis-file.ts';
import { replayLedger, type LedgerReplayReport } from '../../src/node/replay.ts';
import { openSource } from '../../src/node/replay/open-source.ts';
import { CATALOG } from '../../src/projections/catalog.ts';
import { checkEvents } from '../floors.ts';

export interface ReplayedInProcess {
  readonly events: number;
  /** From opening the place to its last batch, threads started and ended. */
  readonly seconds: number;
  /** Of all threads, in that time. */
  readonly cpuUsPerEvent: number;
  /** To check one signature of ed25519, moments before and after: the machine is slower at one time than at another. */
  readonly checkUs: number;
  /** State and projections, key by key, against what is kept; null of a part of the log, with which nothing is compared. */
  readonly compareSeconds: number | null;
  /**
   * Of its own: tables of LevelDB that are mapped into the process count among what is resident, as many as there are, and
   * are the system's to take away.
   */
  readonly peakMegabytes: number;
  readonly peakResidentMegabytes: number;
}

const [dataDirectory = '', genesisFile = '', to = '', verify = 'seals'] = process.argv.slice(2);
const into = join(dataDirectory, 'replay');
const source = await openSource(dataDirectory);
const genesis = await readGenesisFile(genesisFile);
let peakKib = 0;
const replay = (compare: boolean): Promise<LedgerReplayReport> =>
  replayLedger({
    source,
    genesis,
    dataDirectory,
    into,
    to: Number(to),
    verifySignatures: verify === 'all',
    verifySeals: verify !== 'none',
    threads: cpus().length,
    projections: CATALOG,
    compare,
    swap: false,
    olderRows: 'keep',
    onProgress: () => {
      peakKib = Math.max(peakKib, ownKib());
    },
    onNote: () => undefined,
  });
const before = checkEvents();
const cpuBefore = process.cpuUsage();
const startedMs = performance.now();
const { events } = await replay(false);
const seconds = (performance.now() - startedMs) / 1000;
const { system, user } = process.cpuUsage(cpuBefore);
const peakResidentKib = process.resourceUsage().maxRSS;
const ownPeakKib = peakKib;
const after = checkEvents();
const comparedFrom = performance.now();
// What was rebuilt is taken up where it stands, at the head: all that is left to do is to compare.
const { compared } = await replay(true);
const compareSeconds = compared === null ? null : (performance.now() - comparedFrom) / 1000;
if (compared?.state.equal === false) throw new Error('the replayed state is not the one on disk');
await source.close();
await rm(into, { recursive: true });
const KIB_PER_MB = 1_000_000 / 1024;
const US_PER_MS = 1000;
const replayed: ReplayedInProcess = {
  events,
  seconds,
  cpuUsPerEvent: (user + system) / events,
  checkUs: ((before.p50Ms + after.p50Ms) / 2) * US_PER_MS,
  compareSeconds,
  peakMegabytes: ownPeakKib / KIB_PER_MB,
  peakResidentMegabytes: peakResidentKib / KIB_PER_MB,
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
