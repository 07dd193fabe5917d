/** Submitting until there is an answer for good. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Refusal } from '../../base/result.ts';
import type { OwnSignedEvent } from '../../node/sign-event.ts';

export type Outcome =
  | { readonly kind: 'acknowledged' }
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  /** The connection failed, or nothing came back in time: the event may be committed or not. */
  | { readonly kind: 'unanswered'; readonly reason: string };

/** Sends one event and waits for what becomes of it. Never rejects. */
export type Submit = (node: number, event: OwnSignedEvent) => Promise<Outcome>;

/** Answers that ask to send the same event again. */
const TRY_AGAIN = new Set([
  ...['busy', 'no-quorum', 'not-committed-yet', 'stopping', 'rate-limited'],
  // Of a Raft cluster.
  ...['not-leader', 'leadership-lost', 'transferring', 'before-base'],
]);
const RETRY_MS = 500;
/** Another one leads a Raft cluster, and is asked next. */
const NEXT_ONE_MS = 50;

export function isFinal(outcome: Outcome): boolean {
  return outcome.kind === 'acknowledged' || (outcome.kind === 'refused' && !TRY_AGAIN.has(outcome.refusal.code));
}

/** The same event again and again. @returns what it came to, or undefined when that was given up */
export async function submitUntilSettled(
  submit: () => Promise<Outcome>,
  giveUp: AbortSignal,
): Promise<Outcome | undefined> {
  while (!giveUp.aborted) {
    const outcome = await submit();
    if (isFinal(outcome)) return outcome;
    const isElsewhere = outcome.kind === 'refused' && outcome.refusal.code === 'not-leader';
    await delay(isElsewhere ? NEXT_ONE_MS : RETRY_MS, undefined, { signal: giveUp }).catch(() => undefined);
  }
  return undefined;
}
