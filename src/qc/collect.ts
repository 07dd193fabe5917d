/**
 * Turning collected votes or timeouts into a certificate: the expensive part of a round, as a pure job that runs on a
 * worker thread. Jobs and outcomes are structured-cloneable; the worker holds the validator set and the scheme.
 */
import type { TimeoutData, VoteData } from './ballot.ts';
import type { VerifiedCertificate } from './certificate.ts';
import type { SignatureScheme } from './scheme.ts';
import type { VerifiedTimeoutCertificate } from './timeout-certificate.ts';
import type { ValidatorSet } from './validator-set.ts';

export interface BallotSignature {
  readonly signer: number;
  readonly signature: Uint8Array;
}

/** Votes for one and the same `vote`, each signer once, a quorum or more. */
export interface VotesJob {
  readonly kind: 'votes';
  readonly chainId: string;
  readonly epoch: number;
  readonly vote: VoteData;
  readonly ballots: readonly BallotSignature[];
}

/** Timeouts of one round, each signer once, a quorum or more. */
export interface TimeoutsJob {
  readonly kind: 'timeouts';
  readonly chainId: string;
  readonly epoch: number;
  readonly round: number;
  readonly ballots: readonly (BallotSignature & { readonly highRound: number })[];
  /** At least the certificate of the highest `highRound`; lower ones help when that one's signer turns out a culprit. */
  readonly highCertificates: readonly VerifiedCertificate[];
}

/** One ballot by itself: of a validator that was a culprit before. */
export interface BallotJob {
  readonly kind: 'ballot';
  readonly chainId: string;
  readonly epoch: number;
  readonly ballot: ({ readonly kind: 'vote' } & VoteData) | ({ readonly kind: 'timeout' } & TimeoutData);
  readonly signer: number;
  readonly signature: Uint8Array;
}

export type CollectJob = VotesJob | TimeoutsJob | BallotJob;

/** `certificate` is null when those that are not culprits are too few; culprits in rising order. */
export type CollectOutcome =
  | {
      readonly kind: 'votes';
      readonly vote: VoteData;
      readonly certificate: VerifiedCertificate | null;
      readonly culprits: readonly number[];
    }
  | {
      readonly kind: 'timeouts';
      readonly round: number;
      readonly certificate: VerifiedTimeoutCertificate | null;
      readonly culprits: readonly number[];
    }
  | { readonly kind: 'ballot'; readonly ballot: BallotJob['ballot']; readonly signer: number; readonly valid: boolean };

/** @throws AssertionError when the job breaks the rules above or is of another epoch than `validators` */
export function runCollectJob(job: CollectJob, validators: ValidatorSet, scheme: SignatureScheme): CollectOutcome {
  throw new Error(`unfinished ${job.kind} ${validators.epoch} ${scheme.name}`);
}
