/**
 * Helping one who is behind: whoever speaks of a round that is over is sent what ended it, the highest certificate and
 * the highest timeout certificate. Rate-limited for each peer, so that old messages cannot be made to cost much.
 */
import type { ValidatorIndex } from '../consensus/engine.ts';
import type { Replica } from './replica.ts';

/** One answer a peer in this part of the base timeout: a peer that resends once a timeout is always answered. */
const ANSWERS_PER_TIMEOUT = 10;

/** @param senderRound the lowest round in which the sender can be */
export function answerIfStale(replica: Replica, from: ValidatorIndex, senderRound: number): void {
  if (senderRound < replica.pacemaker.round) answer(replica, from);
}

/**
 * Whoever gives up on the present round, and does not know the certificate that left the others with nothing to do,
 * would give up alone for ever. Where this validator gives up too, its own timeout says as much.
 *
 * @param highRound of the highest certificate that the sender knows
 */
export function answerIfUnaware(replica: Replica, from: ValidatorIndex, highRound: number): void {
  const { pacemaker, rules } = replica;
  if (!pacemaker.hasGivenUp && highRound < rules.record.highCertificate.vote.round) answer(replica, from);
}

function answer(replica: Replica, from: ValidatorIndex): void {
  const { self, answeredAtMs, clock, pacing } = replica;
  if (from === self) return;
  const answeredMs = answeredAtMs.get(from);
  const intervalMs = pacing.baseTimeoutMs / ANSWERS_PER_TIMEOUT;
  if (answeredMs !== undefined && clock.elapsedMs - answeredMs < intervalMs) return;
  answeredAtMs.set(from, clock.elapsedMs);
  sendHighest(replica, from);
}

/** Everything that decides the present round. */
export function sendHighest({ rules, turn }: Replica, to: ValidatorIndex): void {
  const { highCertificate, highTimeoutCertificate } = rules.record;
  const skipped = highTimeoutCertificate !== null && highTimeoutCertificate.round > highCertificate.vote.round;
  if (skipped) turn.send({ kind: 'timeoutCertificate', certificate: highTimeoutCertificate }, [to]);
  const inside = skipped ? highTimeoutCertificate.highCertificate.vote.round : 0;
  if (highCertificate.vote.round > inside) turn.send({ kind: 'certificate', certificate: highCertificate }, [to]);
}
