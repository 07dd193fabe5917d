/** A snapshot on this machine, judged by a genesis before anything of it is used. */
import { unwrap } from '../../base/result.ts';
import type { Genesis } from '../../ledger/genesis.ts';
import { verifyManifest, type VerifiedManifest } from '../../ledger/snapshot-manifest.ts';
import { trustGenesis } from '../../ledger/trusted-chain.ts';
import { loadDefaultScheme } from '../../qc/default-scheme.ts';
import type { ChunkTask, ChunkWork } from './chunk-worker.ts';
import { throughChunks } from './chunk-threads.ts';
import type { SnapshotSource } from './snapshot-source.ts';

/** A snapshot whose block a quorum sealed; of its chunks nothing was looked at. */
export interface OpenSnapshot extends VerifiedManifest {
  readonly source: SnapshotSource;
}

export interface SnapshotFacts {
  readonly height: number;
  readonly stateRoot: string;
  readonly blockId: string;
  /** Of the block, unix seconds. */
  readonly timestamp: number;
  readonly chunks: number;
  readonly entries: number;
  /** Of all chunks. */
  readonly bytes: number;
}

export interface ChunkProgress {
  readonly chunks: number;
  readonly totalChunks: number;
}

/** @throws CodedError those of `verifyManifest` */
export async function openSnapshot(source: SnapshotSource, genesis: Genesis): Promise<OpenSnapshot> {
  const { scheme } = await loadDefaultScheme();
  const trusted = unwrap(trustGenesis(genesis, scheme));
  return { ...unwrap(verifyManifest(source.manifest, trusted, scheme)), source };
}

export function factsOf({ manifest, sealed: { block } }: VerifiedManifest): SnapshotFacts {
  const { height, stateRoot, timestamp } = block.header;
  const { bytes, depth, entries } = manifest;
  return { height, stateRoot, blockId: block.id, timestamp, chunks: 2 ** depth, entries, bytes };
}

export function chunkWork({ manifest, sealed }: VerifiedManifest, ledger: string | null = null): ChunkWork {
  return { stateRoot: sealed.block.header.stateRoot, depth: manifest.depth, ledger };
}

/** @param more what to do with each chunk once it was checked */
export function chunkTasks(
  { source }: OpenSnapshot,
  more: (index: number) => Partial<Omit<ChunkTask, 'index' | 'piece'>>,
): readonly ChunkTask[] {
  const checkOnly = { copyTo: null, isMarked: false, gives: false };
  return source.chunks.map((piece, index) => ({ index, piece, ...checkOnly, ...more(index) }));
}

/**
 * Checks every chunk.
 *
 * @returns how many entries they hold
 * @throws CodedError the refusal of the first chunk that does not hold, with its `chunk`
 */
export async function verifyChunks(
  snapshot: OpenSnapshot,
  threads: number,
  onProgress: (progress: ChunkProgress) => void,
): Promise<number> {
  const tasks = chunkTasks(snapshot, () => ({}));
  let entries = 0;
  let chunks = 0;
  await throughChunks(chunkWork(snapshot), tasks, threads, (done) => {
    entries += done.entries;
    onProgress({ chunks: ++chunks, totalChunks: tasks.length });
  });
  return entries;
}
