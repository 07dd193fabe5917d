/**
 * Giving up on a round: when its timer ends, or when f + 1 others did, at least one of them correct.
 *
 * A timeout is sent to all, again and again until the round ends, always the same bytes: the network may lose any of
 * them, and one that changed between two sendings would be two signatures for one round. The last vote travels beside
 * it (when both leaders that were to use it are gone, everybody can), and the events that wait here are sent to all once
 * more: a validator that alone holds an event would otherwise give up alone, round after round.
 */
import { passOverForks, rejectAll } from './committing.ts';
import { everybody, hasWork, type Replica } from './replica.ts';
import { unusedVote } from './voting.ts';

/** Events that are forwarded again with a timeout. */
const MAX_FORWARDED_EVENTS = 256;

/** @returns whether anything was sent */
export function giveUpIfDue(replica: Replica): boolean {
  const { pacemaker, timeouts, context, self, clock } = replica;
  const others = timeouts.othersAt(pacemaker.round, self);
  const joinsOthers = others > context.validators.f && !pacemaker.hasGivenUp;
  if (!joinsOthers && !pacemaker.hasExpired(clock.elapsedMs)) return false;
  rejectVoid(replica);
  if (!joinsOthers && !hasWork(replica) && !isWantedByOthers(replica)) return false;
  pacemaker.gaveUp(clock.elapsedMs);
  return sendTimeout(replica);
}

/** f + 1 others still wait for this round to end: then this validator's timeout is wanted, though it may be idle. */
export function isWantedByOthers({ timeouts, pacemaker, context, self }: Replica): boolean {
  return timeouts.othersAt(pacemaker.round, self) > context.validators.f;
}

/**
 * What waits here may have become void: by what others did (a proposal that was decided needs no more approvals), or by
 * time alone while the chain stood still. Whoever else is asked refuses it at once, so that with it this validator would
 * give up alone, round after round.
 */
function rejectVoid(replica: Replica): void {
  const waiting = replica.mempool.next(MAX_FORWARDED_EVENTS);
  rejectAll(replica, new Set(waiting.map(({ event }) => event.peerId)));
}

function sendTimeout(replica: Replica): boolean {
  const { rules, pacemaker, context, turn, mempool } = replica;
  passOverForks(replica); // the events of this round's block are to be told as well
  turn.forward(mempool.next(MAX_FORWARDED_EVENTS));
  const timeout = rules.timeout(pacemaker.round);
  if (!timeout.ok) {
    if (timeout.refusal.code !== 'validator-silent') turn.refuse(null, timeout.refusal);
    return false;
  }
  const all = everybody(context.validators.n);
  turn.cast(timeout.value, all);
  const vote = unusedVote(replica);
  if (vote !== undefined) turn.cast(vote, all);
  return true;
}
