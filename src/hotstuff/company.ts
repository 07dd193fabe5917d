/**
 * The other validators coming and going: what they are told when their stream comes up, and what they remember of this
 * validator's ballots.
 */
import type { ValidatorIndex } from '../consensus/engine.ts';
import { sendHighest } from './answering.ts';
import type { WitnessMessage } from './messages.ts';
import { othersOf, type Replica } from './replica.ts';
import { resendVote } from './voting.ts';

/** Testimony is asked for again in this part of the base timeout, until a quorum was heard. */
const ASKS_PER_TIMEOUT = 4;

/** Its stream is up: it may have missed everything that was sent to it lately. */
export function receiveConnected(replica: Replica, peer: ValidatorIndex): void {
  const { connected, turn, witnesses, rules, ownProposal } = replica;
  connected.add(peer);
  turn.send(witnesses.tell(peer, !rules.hasHeardQuorum), [peer]);
  sendHighest(replica, peer);
  if (rules.silence !== null) return;
  if (ownProposal !== null) turn.cast(ownProposal, [peer]);
  resendVote(replica, (recipient) => recipient === peer);
}

export function receiveWitness(replica: Replica, from: ValidatorIndex, message: WitnessMessage): void {
  const { rules, turn, witnesses } = replica;
  const waited = !rules.hasHeardQuorum;
  rules.hear(from, message.vote?.ballot ?? null, message.timeout?.ballot ?? null);
  if (message.asks) turn.send(witnesses.tell(from, false), [from]);
  if (waited && rules.hasHeardQuorum) resendVote(replica);
}

/** Until a quorum was heard after the start, the others are asked now and then. */
export function askForTestimony(replica: Replica): void {
  const { rules, turn, witnesses, clock } = replica;
  const due = nextAskMs(replica);
  if (due === undefined || clock.elapsedMs < due) return;
  replica.askedAtMs = clock.elapsedMs;
  for (const peer of othersOf(replica)) if (!rules.hasHeard(peer)) turn.send(witnesses.tell(peer, true), [peer]);
}

export function nextAskMs({ rules, askedAtMs, pacing }: Replica): number | undefined {
  if (rules.hasHeardQuorum) return undefined;
  return askedAtMs === null ? 0 : askedAtMs + pacing.baseTimeoutMs / ASKS_PER_TIMEOUT;
}
