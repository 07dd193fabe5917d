/**
 * The quorum certificate: one vote that a quorum of an epoch's validators signed, under one aggregate signature.
 */
import { equalBytes, utf8 } from '../base/bytes.ts';
import { bytes, codec, struct, uint, type Codec, type Shape } from '../base/codec.ts';
import { taggedHash, ZERO_HASH, type Hash } from '../base/hash.ts';
import { ok, refuse, type Result } from '../base/result.ts';
import { votePreimage, voteShape, type VoteData } from './ballot.ts';
import { checkSigners, signersShape, type Signers } from './bitmap.ts';
import { SIGNATURE_BYTES, signatureMalformed, type SignatureScheme } from './scheme.ts';
import type { ValidatorSet } from './validator-set.ts';

export interface QuorumCertificate {
  readonly epoch: number;
  readonly vote: VoteData;
  readonly signers: Signers;
  /** 96 bytes; empty in the genesis certificate only. */
  readonly signature: Uint8Array;
}

declare const certificateVerified: unique symbol;

/** A certificate whose every part was verified, or the genesis certificate. Made only in `qc`. */
export interface VerifiedCertificate extends QuorumCertificate {
  readonly [certificateVerified]: true;
}

/** What certificates of an epoch are judged by. */
export interface EpochContext {
  readonly chainId: string;
  readonly validators: ValidatorSet;
  /** The epoch's constant: `genesisCertificate(epoch, id of the epoch's genesis block)`. */
  readonly genesis: QuorumCertificate;
}

export const certificateShape: Shape<QuorumCertificate> = struct<QuorumCertificate>({
  epoch: uint(),
  vote: voteShape,
  signers: signersShape,
  signature: bytes(SIGNATURE_BYTES),
});

/** About 230 bytes without commit info and 340 with it, plus the bitmap. */
export const MAX_CERTIFICATE_BYTES = 512;

export const certificateCodec: Codec<QuorumCertificate> = codec(certificateShape, MAX_CERTIFICATE_BYTES);

const DIGEST_TAG = utf8('hotledger/certificate/1\n');

/** Certificates are never changed, and one is looked up by its digest several times on its way through a round. */
const digests = new WeakMap<QuorumCertificate, Hash>();

/** Over the whole certificate, signers and signature too: what a header's `justifyDigest` binds. */
export function certificateDigest(certificate: QuorumCertificate): Hash {
  const known = digests.get(certificate);
  if (known !== undefined) return known;
  const digest = taggedHash(DIGEST_TAG, certificateCodec.encode(certificate));
  digests.set(certificate, digest);
  return digest;
}

/** The constant certificate of an epoch's genesis block: round 0, nobody signed, nothing committed by it. */
export function genesisCertificate(epoch: number, blockId: Hash): VerifiedCertificate {
  const vote: VoteData = { round: 0, blockId, parentRound: 0, parentId: ZERO_HASH, commit: null };
  return verified({ epoch, vote, signers: [], signature: new Uint8Array(0) });
}

/**
 * All that can be refused without a pairing. Refusals: `epoch-mismatch`, `false-genesis-certificate`,
 * `signers-unordered`, `signer-unknown`, `quorum-missing`, `signature-malformed`.
 */
export function checkCertificateForm(certificate: QuorumCertificate, context: EpochContext): Result<void> {
  const { validators, genesis } = context;
  const { epoch, vote, signers, signature } = certificate;
  if (epoch !== validators.epoch) {
    return refuse('epoch-mismatch', 'the certificate is of another epoch', { epoch, expected: validators.epoch });
  }
  if (vote.round === 0) {
    return isSameCertificate(certificate, genesis)
      ? ok(undefined)
      : refuse('false-genesis-certificate', "a certificate of round 0 is not the epoch's own", { epoch });
  }
  const checked = checkSigners(signers, validators.n, validators.quorum);
  if (!checked.ok) return checked;
  return signature.length === SIGNATURE_BYTES ? ok(undefined) : signatureMalformed('not 96 bytes');
}

/** Refusals: those of `checkCertificateForm`, and `certificate-invalid`. Costs a pairing check, about 2 ms natively. */
export function verifyCertificate(
  certificate: QuorumCertificate,
  context: EpochContext,
  scheme: SignatureScheme,
): Result<VerifiedCertificate> {
  const form = checkCertificateForm(certificate, context);
  if (!form.ok) return form;
  const { epoch, vote, signers, signature } = certificate;
  if (vote.round === 0) return ok(verified(certificate));
  const keys = context.validators.publicKeysOf(signers);
  if (!scheme.verifyAggregate(keys, votePreimage({ chainId: context.chainId, epoch }, vote), signature)) {
    return refuse('certificate-invalid', 'the aggregate signature is not of these signers for this vote', {
      epoch,
      round: vote.round,
      signers: signers.length,
    });
  }
  return ok(verified(certificate));
}

/** Byte for byte, signers and signature too: two quorums may certify one block in two certificates. */
export function isSameCertificate(a: QuorumCertificate, b: QuorumCertificate): boolean {
  return equalBytes(certificateCodec.encode(a), certificateCodec.encode(b));
}

/**
 * For what this node itself verified before, where the brand was lost on the way: through its own disk (safety record,
 * block log), or from a verification thread.
 */
export function certificateVerifiedBefore(certificate: QuorumCertificate): VerifiedCertificate {
  return verified(certificate);
}

/** For `collect.ts`, which has just verified the aggregate of a quorum's signatures. */
export function assembledCertificate(certificate: QuorumCertificate): VerifiedCertificate {
  return verified(certificate);
}

function verified(certificate: QuorumCertificate): VerifiedCertificate {
  return certificate as VerifiedCertificate;
}
