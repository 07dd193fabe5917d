/**
 * The head of a snapshot: at which block the state stands, why that block is final, and in how many chunks the state
 * comes. With a genesis, and nothing else that is trusted, it says what the state root is; the chunks are then judged
 * against that (`snapshot-chunk.ts`).
 *
 * Besides the state, a ledger needs the one block: the next block names it as its parent, its header has the time that
 * the next may not fall behind, and the certificate in its seal is the highest that a starting engine knows. Blocks that
 * were not committed are fetched from others by their ids, as after any start. (The validators of later epochs, and all
 * that decides what an event may do, are entries of the state.)
 */
import { bytes, codec, list, struct, text, uint, type Codec } from '../base/codec.ts';
import { ok, refuse, type Refused, type Result } from '../base/result.ts';
import type { SignatureScheme } from '../qc/scheme.ts';
import type { ValidatorSet } from '../qc/validator-set.ts';
import { decodeSealedBlock, MAX_BLOCK_BYTES, MAX_SEAL_BYTES, type SealedBlock } from './block.ts';
import { decodeCommitProof, verifyCommitProof } from './commit-proof.ts';
import { MAX_SNAPSHOT_DEPTH } from './snapshot-chunk.ts';
import { epochProofShape, validatorsOfEpoch, type EpochProof, type TrustedChain } from './trusted-chain.ts';

export const SNAPSHOT_VERSION = 1;
const MAX_EPOCH_PROOFS = 65_536;
const MAX_SEALED_BYTES = MAX_BLOCK_BYTES + MAX_SEAL_BYTES + 64;
/** The proofs of epochs are what is left of it beside the block: at 7 validators those of 5,000 epochs. */
export const MAX_MANIFEST_BYTES = 8 * 1024 * 1024;

export interface SnapshotManifest {
  readonly version: number;
  readonly chainId: string;
  readonly height: number;
  /** The block at the height, as it lies on the disk of whoever made the snapshot: header, events and seal. */
  readonly sealed: Uint8Array;
  /** From genesis on, one an epoch that has ended. */
  readonly epochProofs: readonly EpochProof[];
  /** The snapshot has 2^depth chunks. */
  readonly depth: number;
  /** Of the state, in all chunks together. What a stranger says of it is good for showing progress only. */
  readonly entries: number;
  /** Of all encoded chunks together; the same holds. */
  readonly bytes: number;
}

export const snapshotManifestCodec: Codec<SnapshotManifest> = codec(
  struct<SnapshotManifest>({
    version: uint(),
    chainId: text(64),
    height: uint(),
    sealed: bytes(MAX_SEALED_BYTES),
    epochProofs: list(epochProofShape, MAX_EPOCH_PROOFS),
    depth: uint(MAX_SNAPSHOT_DEPTH),
    entries: uint(),
    bytes: uint(),
  }),
  MAX_MANIFEST_BYTES,
);

/** A snapshot whose block a quorum sealed. */
export interface VerifiedManifest {
  readonly manifest: SnapshotManifest;
  readonly sealed: SealedBlock;
  /** Of the block's epoch. */
  readonly validators: ValidatorSet;
}

/**
 * Decodes a manifest and checks that a quorum, which follows from what is trusted, committed its block.
 *
 * Refusals: those of the codec, `snapshot-version-unknown`, `snapshot-of-another-chain`, `snapshot-manifest-invalid` (it
 * contradicts itself), `snapshot-crash-only` (a block of a Raft epoch, whose seal proves nothing to a stranger),
 * `snapshot-of-genesis`, those of `decodeSealedBlock`, `validatorsOfEpoch` and `verifyCommitProof`.
 */
export function verifyManifest(
  manifestBytes: Uint8Array,
  trusted: TrustedChain,
  scheme: SignatureScheme,
): Result<VerifiedManifest> {
  const decoded = snapshotManifestCodec.decode(manifestBytes);
  if (!decoded.ok) return decoded;
  const manifest = decoded.value;
  const sealed = sealedBlockOf(manifest, trusted.chainId);
  if (!sealed.ok) return sealed;
  const { block, seal } = sealed.value;
  const proofs = manifest.epochProofs.slice(trusted.validators.epoch);
  const validators = validatorsOfEpoch(trusted, block.header.epoch, proofs, scheme);
  if (!validators.ok) return validators;
  const proof = decodeCommitProof(seal.bytes);
  if (!proof.ok) return proof;
  const committed = verifyCommitProof(proof.value, block, {
    chainId: trusted.chainId,
    validators: validators.value,
    scheme,
  });
  return committed.ok ? ok({ manifest, sealed: sealed.value, validators: validators.value }) : committed;
}

/** What can be said without a signature. */
function sealedBlockOf(manifest: SnapshotManifest, chainId: string): Result<SealedBlock> {
  const { height, version } = manifest;
  if (version !== SNAPSHOT_VERSION) {
    return refuse('snapshot-version-unknown', 'the snapshot has a form that this program does not know', {
      version,
      known: SNAPSHOT_VERSION,
    });
  }
  if (manifest.chainId !== chainId) {
    return refuse('snapshot-of-another-chain', 'the snapshot is of another chain', {
      chainId: manifest.chainId,
      own: chainId,
    });
  }
  const sealed = decodeSealedBlock(chainId, manifest.sealed);
  if (!sealed.ok) return sealed;
  const { block, seal } = sealed.value;
  if (block.header.height !== height) return malformed('its block is of another height', height);
  return checkSealKind(seal.kind, height) ?? sealed;
}

/** What no snapshot can be made of, in this form. @returns why, or null */
export function checkSealKind(kind: SealedBlock['seal']['kind'], height: number): Refused | null {
  if (kind === 'raft') {
    return refuse('snapshot-crash-only', 'nobody signs the blocks of a Raft epoch: Raft ships snapshots of its own', {
      height,
    });
  }
  if (kind === 'genesis') {
    return refuse('snapshot-of-genesis', 'the state of genesis is in the genesis file', { height });
  }
  return null;
}

function malformed(reason: string, height: number): Refused {
  return refuse('snapshot-manifest-invalid', 'the manifest of the snapshot contradicts itself', { reason, height });
}
