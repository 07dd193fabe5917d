/**
 * Proof that a validator signed two different ballots of one kind in one round.
 *
 * Votes and timeouts lie in their slots unverified, so both of a conflicting pair are verified singly before they are
 * evidence: else anybody who can spoil a signature could accuse. Two proposals were verified when they were admitted.
 * One piece a validator and epoch is enough, and whoever sent false pairs a few times is not listened to any more: lies
 * cost the liar's peers a bounded number of checks.
 */
import type { ValidatorIndex } from '../consensus/engine.ts';
import type { ChainBinding, ProposalData, TimeoutData, VoteData } from '../qc/ballot.ts';
import type { BallotJob } from '../qc/collect.ts';
import { evidenceCodec, makeEvidence, type Evidence } from '../qc/evidence.ts';
import type { Slot } from './ballot-slots.ts';
import type { Signed } from './messages.ts';

const MAX_FAILED_TRIALS = 8;

type Accusation = Exclude<Evidence, { kind: 'proposals' }>;

interface Trial {
  readonly accusation: Accusation;
  readonly round: number;
  /** Checks that are still out. */
  open: number;
  holds: boolean;
}

export class EvidenceBook {
  readonly #chain: ChainBinding;
  readonly #convicted = new Set<ValidatorIndex>();
  /** Trials of each validator that ended with nothing. */
  readonly #failedTrials = new Map<ValidatorIndex, number>();
  /** The last trial of each validator. */
  readonly #trials = new Map<ValidatorIndex, Trial>();

  constructor(chain: ChainBinding) {
    this.#chain = chain;
  }

  accuseVotes(first: Slot<VoteData>, second: Slot<VoteData>): readonly BallotJob[] {
    const jobs = [first, second].map((slot) => this.#job({ kind: 'vote', ...slot.ballot }, slot));
    return this.#accuse({ kind: 'votes', ...this.#conflict(first, second) }, first.ballot.round, jobs);
  }

  accuseTimeouts(first: Slot<TimeoutData>, second: Slot<TimeoutData>): readonly BallotJob[] {
    const jobs = [first, second].map((slot) => this.#job({ kind: 'timeout', ...slot.ballot }, slot));
    return this.#accuse({ kind: 'timeouts', ...this.#conflict(first, second) }, first.ballot.round, jobs);
  }

  /** Both were admitted, so both signatures are good. @returns encoded evidence, or null when there is one already */
  convictProposals(
    offender: ValidatorIndex,
    first: Signed<ProposalData>,
    second: Signed<ProposalData>,
  ): Uint8Array | null {
    if (this.#convicted.has(offender)) return null;
    this.#convicted.add(offender);
    return this.#encode({ kind: 'proposals', epoch: this.#chain.epoch, offender, first, second });
  }

  /** One check of a trial has come back. @returns encoded evidence when the trial ends with both being good */
  judge(offender: ValidatorIndex, valid: boolean): Uint8Array | null {
    const trial = this.#trials.get(offender);
    if (trial === undefined || trial.open === 0) return null;
    trial.open--;
    trial.holds &&= valid;
    if (trial.open > 0 || this.#convicted.has(offender)) return null;
    if (!trial.holds) {
      this.#failedTrials.set(offender, this.#failuresOf(offender) + 1);
      return null;
    }
    this.#convicted.add(offender);
    return this.#encode(trial.accusation);
  }

  #accuse(accusation: Accusation, round: number, jobs: readonly BallotJob[]): readonly BallotJob[] {
    const { offender } = accusation;
    const last = this.#trials.get(offender);
    const isTried = last !== undefined && (last.open > 0 || last.round >= round);
    if (this.#convicted.has(offender) || isTried || this.#failuresOf(offender) >= MAX_FAILED_TRIALS) return [];
    this.#trials.set(offender, { accusation, round, open: jobs.length, holds: true });
    return jobs;
  }

  #encode(evidence: Evidence): Uint8Array {
    return evidenceCodec.encode(makeEvidence(evidence, this.#chain.chainId));
  }

  #failuresOf(offender: ValidatorIndex): number {
    return this.#failedTrials.get(offender) ?? 0;
  }

  #job(ballot: BallotJob['ballot'], { signer, signature }: Slot<unknown>): BallotJob {
    return { kind: 'ballot', ...this.#chain, ballot, signer, signature };
  }

  #conflict<T>(first: Slot<T>, second: Slot<T>) {
    return {
      epoch: this.#chain.epoch,
      offender: first.signer,
      first: { ballot: first.ballot, signature: first.signature },
      second: { ballot: second.ballot, signature: second.signature },
    };
  }
}
