/**
 * The one door through which this validator's signature leaves. Everything that it may ever sign for consensus is made
 * here, in three ways, and each way writes into the safety record what it promised by it.
 *
 *     vote(B)      V1  B is justified: rules 1 to 3 of `proposal-rules.ts`
 *                  V2  B.round > last voted round
 *                  then last voted round = B.round, lock = max(lock, certificate.round)
 *     propose(B)   the same guard: a leader votes for its own proposal in the same step
 *     timeout(r)   T1  one timeout a round: asked again, the stored one, byte for byte
 *                  T2  r >= last voted round
 *                  T3  the highest certificate's round >= lock, so that the timeout hides nothing that was voted on
 *                  T4  r was entered lawfully: a certificate or a timeout certificate of round r - 1 is held
 *                  then last voted round = max(last voted round, r)
 *
 * So vote then timeout in one round is allowed, timeout then vote never; and asked again for a vote, the stored vote is
 * all that there is. (Jolteon, figure 3; Aptos `safety_rules_2chain.rs` has the same two doors.)
 *
 * The rules know nothing of networks and timers, and whoever uses them cannot forget to write the record: the record
 * is dirty from the moment a ballot is made, and `turn.ts` puts a dirty record in front of everything that is sent.
 */
import { assert } from '../base/assert.ts';
import { ok, refuse, type Refusal, type Result } from '../base/result.ts';
import type { ValidatorIndex } from '../consensus/engine.ts';
import type { Block } from '../ledger/block.ts';
import {
  proposalPreimage,
  timeoutPreimage,
  votePreimage,
  type ChainBinding,
  type TimeoutData,
  type VoteData,
} from '../qc/ballot.ts';
import type { VerifiedCertificate } from '../qc/certificate.ts';
import type { VerifiedTimeoutCertificate } from '../qc/timeout-certificate.ts';
import { commitInfoOf, sameVote, type ChainLink, type CommitDepth } from './commit-rule.ts';
import type { HotstuffMessage } from './messages.ts';
import { checkJustification } from './proposal-rules.ts';
import { encodeSafetyRecord, firstSafetyRecord, type SafetyRecord, type StoredTimeout } from './safety-record.ts';

declare const throughTheDoor: unique symbol;

/** What is to be signed and sent. Only this file makes one. */
export interface Ballot {
  readonly signWith: 'bls' | 'identity';
  readonly preimage: Uint8Array;
  readonly message: HotstuffMessage;
  readonly [throughTheDoor]: true;
}

/** A block that was executed and gave its roots, with what justifies it. */
export interface BallotRequest {
  readonly block: Block;
  readonly parent: ChainLink;
  readonly justify: VerifiedCertificate;
  readonly timeoutCertificate: VerifiedTimeoutCertificate | null;
}

export interface SafetyOptions {
  readonly chain: ChainBinding;
  readonly self: ValidatorIndex;
  readonly quorum: number;
  readonly commitDepth: CommitDepth;
  readonly genesis: VerifiedCertificate;
  /** Null when it is missing on disk though it should be there. */
  readonly record: SafetyRecord | null;
  /** A reason not to sign that the shell found, or null. */
  readonly silence: Refusal | null;
}

export class SafetyRules {
  readonly #chain: ChainBinding;
  readonly #self: ValidatorIndex;
  readonly #quorum: number;
  readonly #commitDepth: CommitDepth;
  readonly #recordMissing: boolean;
  /** Validators that told what they hold of this one's ballots since the start, itself included. */
  readonly #heard: Set<ValidatorIndex>;
  #record: SafetyRecord;
  #dirty = false;
  #silence: Refusal | null;

  constructor({ chain, self, quorum, commitDepth, genesis, record, silence }: SafetyOptions) {
    assert(record === null || record.epoch === chain.epoch, 'the safety record is of this epoch', {
      record: record?.epoch ?? null,
      epoch: chain.epoch,
    });
    this.#chain = chain;
    this.#self = self;
    this.#quorum = quorum;
    this.#heard = new Set([self]);
    this.#commitDepth = commitDepth;
    this.#recordMissing = record === null;
    this.#record = record ?? firstSafetyRecord(genesis);
    this.#silence = silence ?? (record === null ? MISSING_RECORD : record.rolledBack ? ROLLED_BACK : null);
  }

  get record(): SafetyRecord {
    return this.#record;
  }

  /** Why nothing may be signed, or null. */
  get silence(): Refusal | null {
    if (this.#silence !== null) return this.#silence;
    return this.hasHeardQuorum ? null : this.#waiting();
  }

  get hasHeardQuorum(): boolean {
    return this.#heard.size >= this.#quorum;
  }

  hasHeard(peer: ValidatorIndex): boolean {
    return this.#heard.has(peer);
  }

  /**
   * Another validator's testimony: the highest ballots that it holds of this one, verified, or null for none. One above
   * the record means that the record was rolled back; so does another vote than the stored one, in its round.
   */
  hear(peer: ValidatorIndex, vote: VoteData | null, timeout: TimeoutData | null): void {
    const { lastVotedRound, lastVote } = this.#record;
    this.#heard.add(peer);
    if (vote !== null && vote.round > lastVotedRound) this.#rolledBack();
    if (vote !== null && vote.round === lastVote?.round && !sameVote(vote, lastVote)) this.#rolledBack();
    if (timeout !== null && timeout.round > lastVotedRound) this.#rolledBack();
  }

  /** The highest certificate only rises. @returns whether this one is higher */
  learnCertificate(certificate: VerifiedCertificate): boolean {
    const { round } = certificate.vote;
    if (certificate.signers.includes(this.#self) && round > this.#record.lastVotedRound) this.#rolledBack();
    if (round <= this.#record.highCertificate.vote.round) return false;
    this.#update({ highCertificate: certificate });
    return true;
  }

  learnTimeoutCertificate(certificate: VerifiedTimeoutCertificate): boolean {
    const { round, signers } = certificate;
    if (signers.includes(this.#self) && round > this.#record.lastVotedRound) this.#rolledBack();
    if (round <= (this.#record.highTimeoutCertificate?.round ?? 0)) return false;
    this.#update({ highTimeoutCertificate: certificate });
    return true;
  }

  /** Refusals: `validator-silent`, `already-voted`, those of `checkJustification`. */
  vote(request: BallotRequest): Result<Ballot> {
    const { silence } = this;
    if (silence !== null) return silent(silence);
    const { block, parent, justify } = request;
    const { round } = block.header;
    // V1
    const justified = checkJustification(block.header, parent, request);
    if (!justified.ok) return justified;
    // V2
    const { lastVotedRound, lockedRound } = this.#record;
    if (round <= lastVotedRound) {
      return refuse('already-voted', 'this validator voted or gave up in this round or a later one', {
        round,
        lastVotedRound,
      });
    }
    const vote: VoteData = {
      round,
      blockId: block.id,
      parentRound: justify.vote.round,
      parentId: justify.vote.blockId,
      commit: commitInfoOf({ id: block.id, header: block.header, parent }, this.#commitDepth),
    };
    this.#update({
      lastVotedRound: round,
      lockedRound: Math.max(lockedRound, justify.vote.round),
      lastVote: vote,
    });
    return ok(this.#voteBallot(vote));
  }

  /** A leader's own block: the proposal, and its vote for it. Refusals: as of `vote`. */
  propose(request: BallotRequest): Result<{ readonly proposal: Ballot; readonly vote: Ballot }> {
    const vote = this.vote(request);
    if (!vote.ok) return vote;
    const { block, justify, timeoutCertificate } = request;
    const proposal = ballot({
      signWith: 'identity',
      preimage: proposalPreimage(this.#chain, { round: block.header.round, blockId: block.id }),
      message: { kind: 'proposal', block, justify, timeoutCertificate, signature: UNSIGNED },
    });
    return ok({ proposal, vote: vote.value });
  }

  /** Refusals: `validator-silent`, `timeout-below-vote`, `certificate-below-lock`, `timeout-round-unentered`. */
  timeout(round: number): Result<Ballot> {
    const { silence } = this;
    if (silence !== null) return silent(silence);
    const { lastTimeout, lastVotedRound, lockedRound, highCertificate, highTimeoutCertificate } = this.#record;
    // T1
    if (lastTimeout?.timeout.round === round) return ok(this.#timeoutBallot(lastTimeout));
    // T2
    if (round < lastVotedRound) {
      return refuse('timeout-below-vote', 'this validator voted or gave up in a later round', {
        round,
        lastVotedRound,
      });
    }
    // T3
    const highRound = highCertificate.vote.round;
    if (highRound < lockedRound) {
      return refuse('certificate-below-lock', 'the highest certificate is below the lock', { highRound, lockedRound });
    }
    // T4
    const byCertificate = highRound + 1 === round;
    const byTimeouts = highTimeoutCertificate?.round === round - 1 && highRound < round;
    if (!byCertificate && !byTimeouts) {
      return refuse('timeout-round-unentered', 'nothing shows how the round was entered', {
        round,
        highRound,
        highTimeoutRound: highTimeoutCertificate?.round ?? 0,
      });
    }
    const stored: StoredTimeout = {
      timeout: { round, highRound },
      highCertificate,
      timeoutCertificate: byCertificate ? null : highTimeoutCertificate,
    };
    this.#update({ lastVotedRound: Math.max(lastVotedRound, round), lastTimeout: stored });
    return ok(this.#timeoutBallot(stored));
  }

  /** The last vote once more, or undefined when there is none or nothing may be signed. */
  storedVote(): Ballot | undefined {
    const { lastVote } = this.#record;
    return lastVote === null || this.silence !== null ? undefined : this.#voteBallot(lastVote);
  }

  /**
   * The record's bytes when they are not on disk yet, and marks them as written. Undefined when nothing changed, and
   * when the record was missing: a new one would let the next start sign.
   */
  takeUnwritten(): Uint8Array | undefined {
    if (!this.#dirty) return undefined;
    this.#dirty = false;
    return encodeSafetyRecord(this.#record);
  }

  #update(change: Partial<SafetyRecord>): void {
    const before = this.#record;
    const after = { ...before, ...change };
    assert(after.lastVotedRound >= before.lastVotedRound, 'the last voted round only rises', {});
    assert(after.lockedRound >= before.lockedRound, 'the lock only rises', {});
    assert(after.lockedRound <= after.highCertificate.vote.round, 'the lock is a certificate that is held', {
      lockedRound: after.lockedRound,
      highRound: after.highCertificate.vote.round,
    });
    this.#record = after;
    this.#dirty = !this.#recordMissing;
  }

  #voteBallot(vote: VoteData): Ballot {
    return ballot({
      signWith: 'bls',
      preimage: votePreimage(this.#chain, vote),
      message: { kind: 'vote', epoch: this.#chain.epoch, vote, signature: UNSIGNED },
    });
  }

  #timeoutBallot({ timeout, highCertificate, timeoutCertificate }: StoredTimeout): Ballot {
    const { epoch } = this.#chain;
    return ballot({
      signWith: 'bls',
      preimage: timeoutPreimage(this.#chain, timeout),
      message: { kind: 'timeout', epoch, timeout, highCertificate, timeoutCertificate, signature: UNSIGNED },
    });
  }

  /** Others hold ballots of this validator that its record does not know: it must never sign with this key again. */
  #rolledBack(): void {
    if (this.#recordMissing || this.#record.rolledBack) return;
    this.#update({ rolledBack: true });
    this.#silence = ROLLED_BACK;
  }

  #waiting(): Refusal {
    return {
      code: 'testimony-awaited',
      message: 'After a start a validator signs only when a quorum has told which of its ballots they hold.',
      details: { heard: this.#heard.size, quorum: this.#quorum },
    };
  }
}

function silent({ code, message }: Refusal): Result<never> {
  return refuse('validator-silent', message, { because: code });
}

const UNSIGNED = new Uint8Array(0);

const RECOVERY =
  'Recovery: give this validator a new BLS key by a validatorSetChanged action, or wait in follower mode; never copy a record from elsewhere.';

const MISSING_RECORD: Refusal = {
  code: 'safety-record-missing',
  message: `The safety record is missing although this key has been in use: signing could contradict an earlier vote. ${RECOVERY}`,
  details: {},
};

const ROLLED_BACK: Refusal = {
  code: 'safety-record-rolled-back',
  message: `Others hold votes or timeouts of this validator that its safety record does not know: it was rolled back, perhaps by a restored backup. ${RECOVERY}`,
  details: {},
};

function ballot(made: Omit<Ballot, typeof throughTheDoor>): Ballot {
  return made as Ballot;
}
