/** Snapshots of small states, in memory. */
import { compareBytes, utf8 } from '../../src/base/bytes.ts';
import { sha256 } from '../../src/base/hash.ts';
import { encodeSealedBlock } from '../../src/ledger/block.ts';
import {
  chunkIndexOf,
  snapshotChunkCodec,
  type ChunkEntry,
  type SnapshotChunk,
} from '../../src/ledger/snapshot-chunk.ts';
import { snapshotManifestCodec, SNAPSHOT_VERSION, type SnapshotManifest } from '../../src/ledger/snapshot-manifest.ts';
import { SubtreeHasher } from '../../src/ledger/snapshot-subtree.ts';
import { SnapshotTree, type Subtree } from '../../src/ledger/snapshot-tree.ts';
import type { SealedChain } from './chain.ts';

export interface MemorySnapshot {
  readonly tree: SnapshotTree;
  readonly chunks: readonly SnapshotChunk[];
}

/** All chunks of a state, made as a maker of snapshots makes them. */
export function snapshotOf(state: ReadonlyMap<string, Uint8Array>, depth: number): MemorySnapshot {
  const entries = Array.from(state, ([key, value]) => ({ key: utf8(key), value, keyHash: sha256(utf8(key)) }));
  entries.sort((a, b) => compareBytes(a.keyHash, b.keyHash));
  const contents = Array.from({ length: 2 ** depth }, (_, index) => ({ index, entries: [] as ChunkEntry[] }));
  for (const { key, keyHash, value } of entries) contents[chunkIndexOf(keyHash, depth)]?.entries.push({ key, value });
  const tree = new SnapshotTree(
    depth,
    contents.map(({ entries: own }) => subtreeOf(own, depth)),
  );
  return { tree, chunks: contents.map((content) => ({ content, proof: tree.proofOf(content.index) })) };
}

function subtreeOf(entries: readonly ChunkEntry[], depth: number): Subtree {
  const hasher = new SubtreeHasher();
  hasher.begin(entries.length);
  for (const { key, value } of entries) hasher.add(key, value);
  const only = entries.length === 1 ? entries[0] : undefined;
  const leaf = only === undefined ? null : { keyHash: sha256(only.key), valueHash: sha256(only.value) };
  return { hash: hasher.root(depth), leaf };
}

/** The manifest of a snapshot of the chain's head. */
export function manifestOf(chain: SealedChain, depth: number, more: Partial<SnapshotManifest> = {}): SnapshotManifest {
  const { height } = chain.head.header;
  const { chunks } = snapshotOf(chain.backing.entries, depth);
  return {
    version: SNAPSHOT_VERSION,
    chainId: chain.chainId,
    height,
    sealed: encodeSealedBlock(chain.sealedAt(height)),
    epochProofs: [],
    depth,
    entries: chain.backing.entries.size,
    bytes: chunks.reduce((sum, chunk) => sum + snapshotChunkCodec.encode(chunk).length, 0),
    ...more,
  };
}

export function manifestBytesOf(chain: SealedChain, depth: number, more: Partial<SnapshotManifest> = {}): Uint8Array {
  return snapshotManifestCodec.encode(manifestOf(chain, depth, more));
}
