/**
 * A snapshot of many nodes: made beside commits, whose latency is measured before and meanwhile, and restored with every
 * chunk checked, beside a raw batch write of the same bytes.
 *
 * The commits are synced batches of one block each, in the process that holds the store: what a validator waits for on
 * its disk and its main thread. Rounds of consensus are not in it.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { utf8 } from '../../src/base/bytes.ts';
import { ok } from '../../src/base/result.ts';
import { BlockLog } from '../../src/ledger/block-log.ts';
import type { Genesis } from '../../src/ledger/genesis.ts';
import { stateKey } from '../../src/ledger/layout.ts';
import { snapshotChunkCodec } from '../../src/ledger/snapshot-chunk.ts';
import { ledgerDirectory } from '../../src/node/open-ledger.ts';
import { makeSnapshot } from '../../src/node/snapshot/make-snapshot.ts';
import { restoreLedger } from '../../src/node/snapshot/restore-ledger.ts';
import { SnapshotFolder } from '../../src/node/snapshot/snapshot-folder.ts';
import { snapshotInFolder } from '../../src/node/snapshot/snapshot-source.ts';
import { LevelStore } from '../../src/store/level-store.ts';
import type { StoreOperation } from '../../src/store/store.ts';
import { summarize, type Summary } from '../measure.ts';
import type { MadeLedger } from './ledger-worker.ts';

export interface SnapshotOptions {
  /** Where directories are made. */
  readonly parent: string;
  readonly nodes: number;
  /** Commits before the snapshot is begun. */
  readonly commits: number;
}

export interface SnapshotResult {
  readonly entries: number;
  readonly megabytes: number;
  readonly commitBefore: Summary;
  readonly commitMeanwhile: Summary;
  readonly createSeconds: number;
  /** Of the process at most, while it is made, above what it was before. */
  readonly createMemoryMegabytes: number;
  readonly rawWriteSeconds: number;
  /** Chunks checked and written, into files and the store; rows of projections are made after that. */
  readonly restoreSeconds: number;
  readonly projectionSeconds: number;
}

const VALUE_BYTES = 300;
const COMMIT_EVERY_MS = 10;
const EVENTS_PER_COMMIT = 20;

export async function measureSnapshot({ commits, nodes, parent }: SnapshotOptions): Promise<SnapshotResult> {
  const directory = await mkdtemp(join(parent, 'hotledger-bench-'));
  try {
    const made = await makeLedger(join(directory, 'made'), nodes);
    const creation = await create(join(directory, 'made'), made.chainId, commits);
    const restored = await restore(directory, made.genesis);
    return { entries: nodes, ...creation, ...restored };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** In a thread of its own, so that the tree over all entries is not in the memory that is measured. */
async function makeLedger(dataDirectory: string, nodes: number): Promise<MadeLedger> {
  const worker = new Worker(new URL('./ledger-worker.ts', import.meta.url), { workerData: { dataDirectory, nodes } });
  const [made] = (await once(worker, 'message')) as [MadeLedger];
  await worker.terminate();
  return made;
}

async function create(dataDirectory: string, chainId: string, commits: number) {
  const ledger = ledgerDirectory(dataDirectory);
  const store = await LevelStore.open(ledger, { threads: true });
  const before: number[] = [];
  for (let i = 0; i < commits; i++) before.push(await commit(store, i));
  const meanwhile: number[] = [];
  let isMade = false;
  const bytesBefore = ownMemory();
  let bytesMost = bytesBefore;
  const committing = (async () => {
    for (let i = 0; !isMade; i++) {
      meanwhile.push(await commit(store, i));
      bytesMost = Math.max(bytesMost, ownMemory());
    }
  })();
  const startedMs = performance.now();
  const height = BlockLog.over(store, { chainId, validatorKey: null }).head().height;
  const folder = SnapshotFolder.of(dataDirectory);
  const making = { ledger, chainId, height, folder, stepsAside: true, signal: new AbortController().signal };
  const { bytes } = await makeSnapshot({ ...making, changedSince: () => ok(new Map()), onProgress: () => undefined });
  const createSeconds = (performance.now() - startedMs) / 1000;
  isMade = true;
  await committing;
  await store.close();
  return {
    megabytes: bytes / 1e6,
    createSeconds,
    createMemoryMegabytes: (bytesMost - bytesBefore) / 1e6,
    commitBefore: summarize(before),
    commitMeanwhile: summarize(meanwhile),
  };
}

/** Without the tables that LevelDB maps, which the kernel takes back when it wants to. */
function ownMemory(): number {
  if (process.platform !== 'linux') return process.memoryUsage.rss();
  const [, kilobytes] = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  return Number(kilobytes) * 1024;
}

/** What a block writes: some records and itself. They lie outside of the state, which stays the block's. */
async function commit(store: LevelStore, number: number): Promise<number> {
  await sleep(COMMIT_EVERY_MS);
  const operations = Array.from({ length: EVENTS_PER_COMMIT }, (_, event): StoreOperation => ({
    kind: 'put',
    key: utf8(`Z${number}/${event}`),
    value: randomBytes(2 * VALUE_BYTES),
  }));
  const startedMs = performance.now();
  await store.batch(operations, { sync: true });
  return performance.now() - startedMs;
}

async function restore(directory: string, genesis: Genesis) {
  const source = await snapshotInFolder(SnapshotFolder.of(join(directory, 'made')), 1);
  const rawWriteSeconds = await writeRaw(join(directory, 'raw'), source.chunks.length, join(directory, 'made'));
  const startedMs = performance.now();
  let chunksAtMs = startedMs;
  await restoreLedger({
    dataDirectory: join(directory, 'restored'),
    genesis,
    validatorKey: null,
    source,
    threads: availableParallelism(),
    onProgress: ({ phase }) => {
      if (phase === 'projections') chunksAtMs = performance.now();
    },
  });
  return {
    rawWriteSeconds,
    restoreSeconds: (chunksAtMs - startedMs) / 1000,
    projectionSeconds: (performance.now() - chunksAtMs) / 1000,
  };
}

/** The same entries in the same batches, decoded before the clock starts: a chunk at a time, as memory is bounded. */
async function writeRaw(target: string, chunks: number, made: string): Promise<number> {
  const store = await LevelStore.open(target, { create: true });
  const folder = SnapshotFolder.of(made);
  let ms = 0;
  for (let index = 0; index < chunks; index++) {
    const { entries } = snapshotChunkCodec.decodeOwn((await folder.chunk(1, index)) as Uint8Array).content;
    const operations = entries.map(({ key, value }): StoreOperation => ({
      kind: 'put',
      key: stateKey(new TextDecoder().decode(key)),
      value,
    }));
    const startedMs = performance.now();
    await store.batch(operations, { sync: index === chunks - 1 });
    ms += performance.now() - startedMs;
  }
  await store.close();
  return ms / 1000;
}
