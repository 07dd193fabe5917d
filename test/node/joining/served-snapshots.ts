/** Snapshots of a chain in memory, as servers on real hosts give them. */
import { unwrap, ok, refuse, type Result } from '../../../src/base/result.ts';
import type { SnapshotChecks } from '../../../src/consensus/join-contract.ts';
import { checkChunk, checkManifest } from '../../../src/ledger/snapshot-checks.ts';
import { snapshotChunkCodec } from '../../../src/ledger/snapshot-chunk.ts';
import { verifyManifest } from '../../../src/ledger/snapshot-manifest.ts';
import { isSameSnapshot, type SnapshotName, type SnapshotOffer } from '../../../src/ledger/snapshot-offer.ts';
import { trustGenesis } from '../../../src/ledger/trusted-chain.ts';
import type { SnapshotSource } from '../../../src/net/snapshot-sync.ts';
import { nativeScheme } from '../../../src/qc/scheme-native.ts';
import type { SealedChain } from '../../ledger/chain.ts';
import { manifestBytesOf, snapshotOf } from '../../ledger/snapshots.ts';

export interface HeldSnapshot {
  readonly of: SnapshotName;
  readonly manifest: Uint8Array;
  readonly chunks: readonly Uint8Array[];
}

/** Of the chain's head. */
export function heldSnapshot(chain: SealedChain, depth: number): HeldSnapshot {
  const { height, stateRoot } = chain.head.header;
  const { chunks } = snapshotOf(chain.backing.entries, depth);
  return {
    of: { height, stateRoot, depth },
    manifest: manifestBytesOf(chain, depth),
    chunks: chunks.map((chunk) => snapshotChunkCodec.encode(chunk)),
  };
}

/** What a joining node checks by, from the chain's genesis alone. */
export function checksOf(chain: SealedChain) {
  const trusted = unwrap(trustGenesis(chain.genesis, nativeScheme));
  const checks: SnapshotChecks = {
    manifest: (of, bytes) => checkManifest(of, bytes, trusted, nativeScheme),
    chunk: (of, index, bytes) => checkChunk(of, index, bytes),
  };
  return { checks, verify: (bytes: Uint8Array) => verifyManifest(bytes, trusted, nativeScheme) };
}

export interface ServedOptions {
  readonly headHeight?: number;
  /** Instead of the true chunk. */
  readonly chunk?: (index: number) => Promise<Result<Uint8Array>>;
  readonly onChunk?: (index: number) => void;
}

export function sourceOf(held: HeldSnapshot, { chunk, headHeight, onChunk }: ServedOptions = {}): SnapshotSource {
  const gone = ({ height }: SnapshotName) => refuse('snapshot-gone', 'not here', { height });
  const offer: SnapshotOffer = {
    headHeight: headHeight ?? held.of.height,
    oldestBlock: 1,
    snapshots: [{ ...held.of, bytes: held.chunks.reduce((sum, each) => sum + each.length, 0) }],
  };
  return {
    offer: () => Promise.resolve(offer),
    manifest: (of) => Promise.resolve(isSameSnapshot(of, held.of) ? ok(held.manifest) : gone(of)),
    chunk(of, index) {
      onChunk?.(index);
      if (!isSameSnapshot(of, held.of)) return Promise.resolve(gone(of));
      return chunk?.(index) ?? Promise.resolve(ok(held.chunks[index] as Uint8Array));
    },
  };
}
