/**
 * Why a block is final, for one who knows the validators of its epoch: a quorum certificate whose commit info names
 * the block or a descendant of it, and the headers from that descendant down to the block's child. This is the seal of
 * a block that HotStuff agreed on, and what every verified read rests on.
 *
 * The certificate's signers vouch for the commit info, which names one block (docs: chained HotStuff, Yin and others,
 * PODC 2019, section 5; the commit info as in DiemBFT v4, section 3.3 "ledger commit info"); each header names its
 * parent by hash, so the chain down adds no trust.
 */
import type { Hash } from '../base/hash.ts';
import type { Result } from '../base/result.ts';
import type { QuorumCertificate } from '../qc/certificate.ts';
import type { SignatureScheme } from '../qc/scheme.ts';
import type { ValidatorSet } from '../qc/validator-set.ts';
import type { BlockHeader } from './block.ts';

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

export declare function encodeCommitProof(proof: CommitProof): Uint8Array;
export declare function decodeCommitProof(sealBytes: Uint8Array): Result<CommitProof>;
/** Refusals: those of verifyCertificate, `seal-commits-nothing`, `seal-names-another-block`, `seal-chain-broken`. */
export declare function verifyCommitProof(
  proof: CommitProof,
  block: { readonly id: Hash; readonly header: BlockHeader },
  verifier: CommitVerifier,
): Result<void>;
