/**
 * The timeout certificate: a quorum gave up on a round, each naming the round of the highest certificate it knew.
 */
import { concatBytes, utf8 } from '../base/bytes.ts';
import { codec, fixedBytes, list, struct, uint, type Codec, type Shape } from '../base/codec.ts';
import { sha256Hex, type Hash } from '../base/hash.ts';
import type { Result } from '../base/result.ts';
import { MAX_VALIDATORS, signersShape, type Signers } from './bitmap.ts';
import {
  certificateShape,
  type EpochContext,
  type QuorumCertificate,
  type VerifiedCertificate,
} from './certificate.ts';
import { SIGNATURE_BYTES, type SignatureScheme } from './scheme.ts';

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

/** All that can be refused without a pairing. */
export function checkTimeoutCertificateForm(certificate: TimeoutCertificate, context: EpochContext): Result<void> {
  throw new Error(`unfinished ${certificate.epoch} ${context.chainId}`);
}

export function verifyTimeoutCertificate(
  certificate: TimeoutCertificate,
  context: EpochContext,
  scheme: SignatureScheme,
): Result<VerifiedTimeoutCertificate> {
  throw new Error(`unfinished ${certificate.epoch} ${context.chainId} ${scheme.name}`);
}

/** For what this node itself verified before it wrote it: its safety record. */
export function timeoutCertificateFromOwnDisk(certificate: TimeoutCertificate): VerifiedTimeoutCertificate {
  return certificate as VerifiedTimeoutCertificate;
}
