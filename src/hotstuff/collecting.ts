/**
 * Receiving votes and timeouts, and making certificates of them.
 *
 * A ballot goes into its sender's slot; a quorum of them goes to the verification pool as one job; its outcome is a
 * verified certificate, or the culprits that spoiled it.
 */
import { assert, unreachable } from '../base/assert.ts';
import type { ValidatorIndex } from '../consensus/engine.ts';
import type { VoteData } from '../qc/ballot.ts';
import type { BallotJob, CollectOutcome } from '../qc/collect.ts';
import { answerIfStale, answerIfUnaware } from './answering.ts';
import type { BallotSlots, Slot } from './ballot-slots.ts';
import { isLastVote } from './last-vote.ts';
import { learnCertificate, learnTimeoutCertificate } from './learning.ts';
import type { AdmittedTimeout, VoteMessage } from './messages.ts';
import { leaderAt, type Replica } from './replica.ts';

export function receiveVote(replica: Replica, from: ValidatorIndex, { vote, signature }: VoteMessage): void {
  const { votes, witnesses, rules, evidence } = replica;
  // A vote of the round before is no news of a laggard: it lost the race to a quorum.
  answerIfStale(replica, from, vote.round + 1);
  if (vote.round <= rules.record.highCertificate.vote.round) return;
  witnesses.noteVote(from, vote, signature);
  const taken = votes.take(from, vote, signature);
  if (taken.kind === 'conflict') putToTrial(replica, evidence.accuseVotes(taken.first, taken.second));
}

export function receiveTimeout(replica: Replica, from: ValidatorIndex, message: AdmittedTimeout): void {
  const { timeouts, witnesses, evidence, pacemaker } = replica;
  const { timeout, signature, highCertificate, timeoutCertificate } = message;
  if (highCertificate !== null) learnCertificate(replica, highCertificate);
  if (timeoutCertificate !== null) learnTimeoutCertificate(replica, timeoutCertificate);
  witnesses.noteTimeout(from, timeout, signature);
  if (timeout.round < pacemaker.round) {
    answerIfStale(replica, from, timeout.round);
    return;
  }
  assert(timeout.round === pacemaker.round, 'a timeout shows how its round was entered', { round: timeout.round });
  answerIfUnaware(replica, from, timeout.highRound);
  const taken = timeouts.take(from, timeout, signature);
  if (taken.kind === 'conflict') putToTrial(replica, evidence.accuseTimeouts(taken.first, taken.second));
}

/** Two different ballots of one round: if both signatures are good, they are evidence. */
function putToTrial({ jobs, turn }: Replica, checks: readonly BallotJob[]): void {
  for (const check of checks) jobs.start(check, 'trial', turn);
}

/** Sends every quorum to the pool whose certificate is this validator's business now. */
export function collect(replica: Replica): void {
  checkSuspects(replica, replica.votes.slots, (vote) => ({ kind: 'vote', ...vote }));
  checkSuspects(replica, replica.timeouts.slots, (timeout) => ({ kind: 'timeout', ...timeout }));
  collectVotes(replica);
  collectTimeouts(replica);
}

function checkSuspects<T extends { readonly round: number }>(
  { jobs, turn, context }: Replica,
  slots: BallotSlots<T>,
  ballotOf: (ballot: T) => BallotJob['ballot'],
): void {
  const { chainId, validators } = context;
  for (const slot of slots.unchecked()) {
    const { signer, signature } = slot;
    const ballot = ballotOf(slot.ballot);
    if (jobs.isChecking(ballot.kind, signer)) continue;
    slots.mark(slot, 'under check');
    jobs.start({ kind: 'ballot', chainId, epoch: validators.epoch, ballot, signer, signature }, 'suspect', turn);
  }
}

function collectVotes(replica: Replica): void {
  const { votes, clock, context, jobs, turn } = replica;
  const { chainId, validators } = context;
  for (const { vote, ballots, sinceMs } of votes.quorums(clock.elapsedMs)) {
    if (clock.elapsedMs < collectAtMs(replica, vote, sinceMs)) continue;
    votes.setCollecting(vote.round, true);
    jobs.start({ kind: 'votes', chainId, epoch: validators.epoch, vote, ballots: signed(ballots) }, 'quorum', turn);
  }
}

/**
 * At once for the next leader, for whoever gave up on the round, and for all when nothing is left after it; else the
 * others give the next leader some time.
 */
function collectAtMs(replica: Replica, vote: VoteData, sinceMs: number): number {
  const { self, pacemaker, pacing } = replica;
  const isMine = leaderAt(replica, vote.round + 1) === self || pacemaker.hasGivenUp || isLastVote(replica, vote);
  return isMine ? sinceMs : sinceMs + pacing.backupDelayMs;
}

/** When a quorum of votes that is held becomes this validator's business, elapsed milliseconds. */
export function nextCollectMs(replica: Replica): number | undefined {
  const { votes, clock } = replica;
  let next: number | undefined;
  for (const { vote, sinceMs } of votes.quorums(clock.elapsedMs)) {
    next = Math.min(next ?? Infinity, collectAtMs(replica, vote, sinceMs));
  }
  return next;
}

function collectTimeouts(replica: Replica): void {
  const { timeouts, pacemaker, certificates, context, jobs, turn } = replica;
  const { chainId, validators } = context;
  const { round } = pacemaker;
  const quorum = timeouts.quorum(round, (highRound) => certificates.ofRound(highRound) !== undefined);
  if (quorum === undefined) return;
  timeouts.setCollecting(round);
  const ballots = quorum.map(({ signer, signature, ballot }) => ({ signer, signature, highRound: ballot.highRound }));
  const highRounds = new Set(ballots.map(({ highRound }) => highRound));
  const highCertificates = [...highRounds].flatMap((highRound) => certificates.ofRound(highRound) ?? []);
  const work = { kind: 'timeouts', chainId, epoch: validators.epoch, round, ballots, highCertificates } as const;
  jobs.start(work, 'quorum', turn);
}

function signed(ballots: readonly Slot<unknown>[]) {
  return ballots.map(({ signer, signature }) => ({ signer, signature }));
}

/** A job has come back from the pool. */
export function jobDone(replica: Replica, job: number, outcome: CollectOutcome): void {
  const ended = replica.jobs.end(job);
  assert(ended !== undefined, 'an outcome is of a job that is out', { job });
  const { work, purpose } = ended;
  assert(work.kind === outcome.kind, 'an outcome is of the kind of its job', { job, kind: outcome.kind });
  switch (outcome.kind) {
    case 'votes':
      return votesCollected(replica, outcome);
    case 'timeouts':
      return timeoutsCollected(replica, outcome);
    case 'ballot':
      return purpose === 'trial' ? tried(replica, outcome) : suspectChecked(replica, outcome);
    default:
      return unreachable(outcome);
  }
}

function votesCollected(replica: Replica, outcome: Extract<CollectOutcome, { kind: 'votes' }>): void {
  const { votes, rules } = replica;
  const { vote, certificate, culprits } = outcome;
  votes.setCollecting(vote.round, false);
  for (const culprit of culprits) convict(replica, votes.slots, culprit, vote.round);
  if (certificate === null) return;
  const isNews = certificate.vote.round > rules.record.highCertificate.vote.round;
  const everybodyMakesIt = isLastVote(replica, vote) && leaderAt(replica, vote.round + 1) !== replica.self;
  learnCertificate(replica, certificate);
  if (isNews && !everybodyMakesIt) replica.formed = certificate;
}

function timeoutsCollected(replica: Replica, outcome: Extract<CollectOutcome, { kind: 'timeouts' }>): void {
  const { timeouts, turn, rules } = replica;
  const { round, certificate, culprits } = outcome;
  timeouts.setCollecting(0);
  for (const culprit of culprits) convict(replica, timeouts.slots, culprit, round);
  if (certificate === null || round <= (rules.record.highTimeoutCertificate?.round ?? 0)) return;
  learnTimeoutCertificate(replica, certificate);
  turn.send({ kind: 'timeoutCertificate', certificate }, 'all');
}

function suspectChecked(replica: Replica, outcome: Extract<CollectOutcome, { kind: 'ballot' }>): void {
  const { ballot, signer, valid } = outcome;
  if (ballot.kind === 'vote') settleSuspect(replica, replica.votes.slots, signer, ballot.round, valid);
  else settleSuspect(replica, replica.timeouts.slots, signer, ballot.round, valid);
}

function settleSuspect<T extends { readonly round: number }>(
  replica: Replica,
  slots: BallotSlots<T>,
  signer: ValidatorIndex,
  round: number,
  valid: boolean,
): void {
  const slot = slots.of(signer);
  if (slot?.ballot.round !== round) return;
  if (valid) slots.mark(slot, 'counts');
  else convict(replica, slots, signer, round);
}

function tried(replica: Replica, { signer, valid }: Extract<CollectOutcome, { kind: 'ballot' }>): void {
  const { evidence, turn, context } = replica;
  const bytes = evidence.judge(signer, valid);
  if (bytes !== null) turn.evidence(signer, context.validators.epoch, bytes);
}

function convict<T extends { readonly round: number }>(
  { turn }: Replica,
  slots: BallotSlots<T>,
  culprit: ValidatorIndex,
  round: number,
): void {
  slots.convict(culprit, round);
  turn.refuse(culprit, {
    code: 'ballot-signature-invalid',
    message: 'a vote or timeout was not signed by the key of its sender',
    details: { culprit, round },
  });
}
