/**
 * The timeout certificate: a quorum gave up on a round, each naming the round of the highest certificate it knew.
 */
import { concatBytes, utf8 } from '../base/bytes.ts';
import { codec, fixedBytes, list, struct, uint, type Codec, type Shape } from '../base/codec.ts';
import { sha256Hex, type Hash } from '../base/hash.ts';
import { ok, refuse, type Result } from '../base/result.ts';
import { timeoutPreimage } from './ballot.ts';
import { checkSigners, MAX_VALIDATORS, signersShape, type Signers } from './bitmap.ts';
import {
  certificateShape,
  checkCertificateForm,
  isSameCertificate,
  verifyCertificate,
  type EpochContext,
  type QuorumCertificate,
  type VerifiedCertificate,
} from './certificate.ts';
import { SIGNATURE_BYTES, type SignatureScheme, type SignerGroup } from './scheme.ts';

export interface TimeoutCertificate {
  readonly epoch: number;
  readonly round: number;
  readonly signers: Signers;
  /** What each signer signed, in the order of `signers`; each below `round`. */
  readonly highRounds: readonly number[];
  /** Aggregate over the signers' distinct timeout messages. */
  readonly signature: Uint8Array;
  /** Its round is the maximum of `highRounds`. */
  readonly highCertificate: QuorumCertificate;
}

declare const timeoutCertificateVerified: unique symbol;

/** Made only in `qc`. Its high certificate was verified with it. */
export interface VerifiedTimeoutCertificate extends TimeoutCertificate {
  readonly highCertificate: VerifiedCertificate;
  readonly [timeoutCertificateVerified]: true;
}

export const timeoutCertificateShape: Shape<TimeoutCertificate> = struct<TimeoutCertificate>({
  epoch: uint(),
  round: uint(),
  signers: signersShape,
  highRounds: list(uint(), MAX_VALIDATORS),
  signature: fixedBytes(SIGNATURE_BYTES),
  highCertificate: certificateShape,
});

export const MAX_TIMEOUT_CERTIFICATE_BYTES = 2048;

export const timeoutCertificateCodec: Codec<TimeoutCertificate> = codec(
  timeoutCertificateShape,
  MAX_TIMEOUT_CERTIFICATE_BYTES,
);

const DIGEST_TAG = utf8('hotledger/timeout-certificate/1\n');

export function timeoutCertificateDigest(certificate: TimeoutCertificate): Hash {
  return sha256Hex(concatBytes(DIGEST_TAG, timeoutCertificateCodec.encode(certificate)));
}

/**
 * All that can be refused without a pairing. Refusals: `epoch-mismatch`, `signers-unordered`, `signer-unknown`,
 * `quorum-missing`, `high-rounds-mismatch`, `high-round-too-high`, `high-certificate-mismatch`, and those of
 * `checkCertificateForm` for the high certificate.
 */
export function checkTimeoutCertificateForm(certificate: TimeoutCertificate, context: EpochContext): Result<void> {
  const { epoch, round, signers, highRounds, highCertificate } = certificate;
  const { validators } = context;
  if (epoch !== validators.epoch) {
    return refuse('epoch-mismatch', 'the timeout certificate is of another epoch', {
      epoch,
      expected: validators.epoch,
    });
  }
  const checked = checkSigners(signers, validators.n, validators.quorum);
  if (!checked.ok) return checked;
  if (highRounds.length !== signers.length) {
    return refuse('high-rounds-mismatch', 'each signer has the one round that it signed', {
      signers: signers.length,
      highRounds: highRounds.length,
    });
  }
  const highest = Math.max(...highRounds);
  if (highest >= round) {
    return refuse('high-round-too-high', 'a timeout names a certificate of an earlier round', { round, highest });
  }
  if (highCertificate.vote.round !== highest) {
    return refuse('high-certificate-mismatch', 'the high certificate is not of the highest round that was signed', {
      highest,
      certificateRound: highCertificate.vote.round,
    });
  }
  return checkCertificateForm(highCertificate, context);
}

/**
 * Refusals: those of `checkTimeoutCertificateForm`, `timeout-certificate-invalid`, and `certificate-invalid` for the
 * high certificate.
 *
 * @param known a verified certificate: where it is the high certificate, that is not verified again
 */
export function verifyTimeoutCertificate(
  certificate: TimeoutCertificate,
  context: EpochContext,
  scheme: SignatureScheme,
  known?: VerifiedCertificate,
): Result<VerifiedTimeoutCertificate> {
  const form = checkTimeoutCertificateForm(certificate, context);
  if (!form.ok) return form;
  const { epoch, round, signers, signature, highCertificate } = certificate;
  if (known === undefined || !isSameCertificate(known, highCertificate)) {
    const high = verifyCertificate(highCertificate, context, scheme);
    if (!high.ok) return high;
  }
  if (!scheme.verifyAggregateOfDistinct(signerGroups(certificate, context), signature)) {
    return refuse('timeout-certificate-invalid', 'the aggregate signature is not of these signers for these rounds', {
      epoch,
      round,
      signers: signers.length,
    });
  }
  return ok(certificate as VerifiedTimeoutCertificate);
}

/** Validators that know the same highest round signed the same message: one group, one term of the aggregate. */
function signerGroups(certificate: TimeoutCertificate, { chainId, validators }: EpochContext): SignerGroup[] {
  const { epoch, round, signers, highRounds } = certificate;
  const groups = Map.groupBy(signers, (_, position) => highRounds[position] as number);
  return [...groups].map(([highRound, members]) => ({
    publicKeys: validators.publicKeysOf(members),
    message: timeoutPreimage({ chainId, epoch }, { round, highRound }),
  }));
}

/** For what this node itself verified before it wrote it: its safety record. */
export function timeoutCertificateVerifiedBefore(certificate: TimeoutCertificate): VerifiedTimeoutCertificate {
  return certificate as VerifiedTimeoutCertificate;
}

/** For `collect.ts`, which has just verified the aggregate of a quorum's signatures. */
export function assembledTimeoutCertificate(
  certificate: TimeoutCertificate & { readonly highCertificate: VerifiedCertificate },
): VerifiedTimeoutCertificate {
  return certificate as VerifiedTimeoutCertificate;
}
