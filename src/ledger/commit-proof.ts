/**
 * Why a block is final, for one who knows the validators of its epoch: a quorum certificate whose commit info names
 * the block or a descendant of it, and the headers from that descendant down to the block's child. This is the seal of
 * a block that HotStuff agreed on, and what every verified read rests on.
 *
 * The certificate's signers vouch for the commit info, which names one block (docs: chained HotStuff, Yin and others,
 * PODC 2019, section 5; the commit info as in DiemBFT v4, section 3.3 "ledger commit info"); each header names its
 * parent by hash, so the chain down adds no trust.
 */
import { bytes, codec, list, struct } from '../base/codec.ts';
import { ZERO_HASH, type Hash } from '../base/hash.ts';
import { ok, refuse, type Result } from '../base/result.ts';
import type { CommitInfo } from '../qc/ballot.ts';
import { certificateShape, genesisCertificate, verifyCertificate, type QuorumCertificate } from '../qc/certificate.ts';
import type { SignatureScheme } from '../qc/scheme.ts';
import type { ValidatorSet } from '../qc/validator-set.ts';
import { blockIdOf, decodeHeader, MAX_HEADER_BYTES, MAX_SEAL_BYTES, type BlockHeader } from './block.ts';

/** A seal of kind `hotstuff`, decoded. */
export interface CommitProof {
  readonly certificate: QuorumCertificate;
  /** Header bytes from the block that the commit info names down to the child of the proven block; none when it is itself named. */
  readonly descendants: readonly Uint8Array[];
}

/** What a verifier needs of its epoch. */
export interface CommitVerifier {
  readonly chainId: string;
  readonly validators: ValidatorSet;
  readonly scheme: SignatureScheme;
}

/** Headers that a seal may carry: more than lie uncommitted even when every other round of an hour times out. */
const MAX_DESCENDANTS = 2048;

const commitProofCodec = codec(
  struct<CommitProof>({
    certificate: certificateShape,
    descendants: list(bytes(MAX_HEADER_BYTES), MAX_DESCENDANTS),
  }),
  MAX_SEAL_BYTES,
);

export function encodeCommitProof(proof: CommitProof): Uint8Array {
  return commitProofCodec.encode(proof);
}

/** Refusals: those of the codec. */
export function decodeCommitProof(sealBytes: Uint8Array): Result<CommitProof> {
  return commitProofCodec.decode(sealBytes);
}

/**
 * Refusals: `seal-commits-nothing`, `seal-chain-broken` (a header is not the parent of the one before it),
 * `seal-names-another-block`, those of `decodeHeader` and of `verifyCertificate`.
 */
export function verifyCommitProof(
  proof: CommitProof,
  block: { readonly id: Hash; readonly header: BlockHeader },
  { chainId, scheme, validators }: CommitVerifier,
): Result<void> {
  const { certificate, descendants } = proof;
  const { commit } = certificate.vote;
  if (commit === null) return refuse('seal-commits-nothing', 'the certificate of the seal commits no block');
  const chain = checkChain(commit, descendants, block, chainId, certificate.epoch);
  if (!chain.ok) return chain;
  // A genesis certificate commits nothing, so whatever constant stands here is never equal to this certificate.
  const context = { chainId, validators, genesis: genesisCertificate(validators.epoch, ZERO_HASH) };
  const verified = verifyCertificate(certificate, context, scheme);
  return verified.ok ? ok(undefined) : verified;
}

/** From the block that the commit info names, down to the sealed one, by parent ids. */
function checkChain(
  commit: CommitInfo,
  descendants: readonly Uint8Array[],
  block: { readonly id: Hash; readonly header: BlockHeader },
  chainId: string,
  epoch: number,
): Result<void> {
  let expected = commit.blockId;
  let named: BlockHeader | null = null;
  for (const headerBytes of descendants) {
    if (blockIdOf(headerBytes) !== expected) {
      return refuse('seal-chain-broken', 'a header of the seal is not the parent of the one before it', { expected });
    }
    const header = decodeHeader(headerBytes);
    if (!header.ok) return header;
    named ??= header.value;
    expected = header.value.parentId;
  }
  if (block.id !== expected) {
    return refuse('seal-names-another-block', 'the seal leads to another block', { block: block.id, named: expected });
  }
  return checkNamed(commit, named ?? block.header, chainId, epoch);
}

/** A quorum signs true commit info only; this catches a program of ours that made it otherwise. */
function checkNamed(commit: CommitInfo, header: BlockHeader, chainId: string, epoch: number): Result<void> {
  const agrees =
    header.chainId === chainId &&
    header.epoch === epoch &&
    header.height === commit.height &&
    header.round === commit.round &&
    header.stateRoot === commit.stateRoot &&
    header.nextValidatorSet === commit.nextValidatorSet;
  return agrees
    ? ok(undefined)
    : refuse('seal-names-another-block', 'the commit info disagrees with the header of the block that it names', {
        height: commit.height,
        block: commit.blockId,
      });
}
