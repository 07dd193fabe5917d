/** What a node that joins holds the parts of a snapshot against: the genesis, and the name under which it asked. */
import { ok, refuse, type Result } from '../base/result.ts';
import type { SignatureScheme } from '../qc/scheme.ts';
import { snapshotChunkCodec, verifyChunk, type SnapshotChunk } from './snapshot-chunk.ts';
import { verifyManifest, type VerifiedManifest } from './snapshot-manifest.ts';
import type { SnapshotName } from './snapshot-offer.ts';
import type { TrustedChain } from './trusted-chain.ts';

export function snapshotNameOf({ manifest, sealed }: VerifiedManifest): SnapshotName {
  return { height: manifest.height, stateRoot: sealed.block.header.stateRoot, depth: manifest.depth };
}

/** Refusals: those of `verifyManifest`, `snapshot-misnamed`. */
export function checkManifest(
  of: SnapshotName,
  bytes: Uint8Array,
  trusted: TrustedChain,
  scheme: SignatureScheme,
): Result<VerifiedManifest> {
  const verified = verifyManifest(bytes, trusted, scheme);
  if (!verified.ok) return verified;
  const { depth, height, stateRoot } = snapshotNameOf(verified.value);
  if (height === of.height && stateRoot === of.stateRoot && depth === of.depth) return verified;
  return refuse('snapshot-misnamed', 'the manifest is of another snapshot than was asked for', {
    height,
    asked: of.height,
    stateRoot,
  });
}

/** Refusals: those of the codec and of `verifyChunk`. */
export function checkChunk(of: SnapshotName, index: number, bytes: Uint8Array): Result<SnapshotChunk> {
  const chunk = snapshotChunkCodec.decode(bytes);
  if (!chunk.ok) return chunk;
  const verified = verifyChunk(chunk.value, { stateRoot: of.stateRoot, depth: of.depth, index });
  return verified.ok ? ok(chunk.value) : verified;
}
