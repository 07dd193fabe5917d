/**
 * Submissions, from a peer's event to the answer that it is committed.
 *
 * Order matters: a duplicate is answered as the committed event was before its time is judged, so that a sender whose
 * acknowledgement was lost can always ask again. Acknowledged means committed and durable on this validator.
 */
import { ok, refuse, type Refusal, type Refused, type Result } from '../base/result.ts';
import type { Hash } from '../base/hash.ts';
import type { CommittedBlock } from '../consensus/engine.ts';
import { checkSubmitterClock } from '../ledger/admission-time.ts';
import type { SignedEvent } from '../ledger/event.ts';
import { decodeOwnEntry } from '../ledger/known-entries.ts';
import type { NodeEntry } from '../ledger/record.ts';
import { nodeKey, type StateReader } from '../ledger/state.ts';
import type { VerifiedEvent } from '../ledger/verified-event.ts';
import type { EventVerifier } from './event-verifier.ts';

/** The answer to an acknowledged submission. */
export interface Acknowledged {
  readonly event: Hash;
  /** Height of its block; null when it was only accepted, or committed before this node was asked. */
  readonly height: number | null;
}

export type SubmissionPolicy =
  | { readonly kind: 'open' }
  | { readonly kind: 'allow-list'; readonly peerIds: ReadonlySet<string> }
  | { readonly kind: 'staked' };

export interface SubmissionsOptions {
  readonly verifier: Pick<EventVerifier, 'verify'>;
  /** The committed state as it is on disk: what is answered from it cannot be lost any more. */
  readonly durableState: StateReader;
  readonly policy: SubmissionPolicy;
  /** Submissions that may wait for their commit. */
  readonly maxWaiting: number;
  /** How long each waits for its commit before it is answered `no-quorum` or `not-committed-yet`. */
  readonly maxWaitMs: number;
  readonly nowMs: () => number;
  /** Whether this node and the validators it is connected to are a quorum. */
  readonly quorumReachable: () => boolean;
  /** Why another node has to be asked, or all later; what is committed here is answered all the same. */
  readonly notHere?: () => Refused | undefined;
  /** How long the others may bring what an event was refused for the want of; 0 where they cannot. */
  readonly behindGraceMs?: number;
  /** Hands a verified event to the engine and to the other validators. Refusal: `busy`. */
  readonly admit: (event: VerifiedEvent) => Result<void>;
}

/** What a refused submitter is told to wait before it sends the same event again. */
export const RETRY_AFTER_MS = 1_000;

/**
 * Refusals for the want of something that another event brings. A submitter that was acknowledged by one validator and
 * goes to another finds it a moment behind: there the refusal is true, and false where the block is made. So it is told
 * a little later, unless the event commits first.
 */
const MAY_BE_NEWS_ELSEWHERE: ReadonlySet<string> = new Set(['not-joined', 'proposal-unknown']);
const BEHIND_GRACE_MS = 1_000;

interface Waiter {
  readonly event: Hash;
  readonly deadlineMs: number;
  readonly answer: (answer: Result<Acknowledged>) => void;
}

export class Submissions {
  readonly #options: SubmissionsOptions;
  /** In order of arrival, hence of deadline. */
  readonly #waiters = new Set<Waiter>();
  readonly #byEvent = new Map<Hash, Waiter[]>();
  #underCheck = 0;
  #timer: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(options: SubmissionsOptions) {
    this.#options = options;
  }

  get waiting(): number {
    return this.#waiters.size + this.#underCheck;
  }

  /**
   * Resolves when the event is committed (or, where asked, handed to consensus), or refused. Refusals: `superseded`,
   * `sequence-conflict`, `clock-skew` and the others of `checkSubmitterClock`, `not-allowed`, `not-staked`, `busy`,
   * `no-quorum`, `not-committed-yet`, `stopping`, those of `notHere` and of the event verifier, and every final refusal of
   * `applyEvent`.
   */
  async submit(event: SignedEvent, until: 'committed' | 'accepted' = 'committed'): Promise<Result<Acknowledged>> {
    if (this.#closed) return stopping();
    const answered = this.#answeredByState(event) ?? this.#refusedAtTheDoor(event);
    if (answered !== undefined) return answered;
    this.#underCheck += 1;
    const verified = await this.#options.verifier.verify(event).finally(() => {
      this.#underCheck -= 1;
    });
    if (!verified.ok) return verified;
    if (this.#closed) return stopping();
    // It may have been committed while its signature was checked: then no commit to come would answer it.
    const committed = this.#answeredByState(event);
    if (committed !== undefined) return committed;
    if (until === 'committed') return this.#committedLater(verified.value);
    const admitted = this.#options.admit(verified.value);
    return admitted.ok ? ok({ event: event.id, height: null }) : admitted;
  }

  /** Blocks that became durable. */
  committed(blocks: readonly CommittedBlock[]): void {
    if (this.#waiters.size === 0) return;
    for (const { block } of blocks) {
      for (const { id } of block.events) this.#answerAll(id, ok({ event: id, height: block.header.height }));
    }
  }

  /** The engine will never commit this event, or it is in a block already. */
  rejected(event: Hash, refusal: Refusal): void {
    const isCommitted = refusal.code === 'already-applied';
    const answer = isCommitted ? ok({ event, height: null }) : { ok: false as const, refusal };
    const graceMs = this.#options.behindGraceMs ?? BEHIND_GRACE_MS;
    if (graceMs > 0 && MAY_BE_NEWS_ELSEWHERE.has(refusal.code)) this.#answerSoon(event, answer, graceMs);
    else this.#answerAll(event, answer);
  }

  /** The other validators were told of the event; one of them may commit it yet. */
  #answerSoon(event: Hash, answer: Result<Acknowledged>, graceMs: number): void {
    if (!this.#byEvent.has(event)) return;
    const timer = setTimeout(() => {
      this.#answerAll(event, answer);
    }, graceMs);
    timer.unref();
  }

  /** Answers all that wait, and all that come: the node stops. */
  close(): void {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    for (const waiter of [...this.#waiters]) this.#answer(waiter, stopping());
  }

  /** A committed event is judged by what the state remembers of its peer, whatever else is wrong with it now. */
  #answeredByState({ id, event }: SignedEvent): Result<Acknowledged> | undefined {
    const last = this.#lastOf(event.peerId);
    if (last === undefined || event.seq > last.lastSeq) return undefined;
    if (last.lastEventId === id) return ok({ event: id, height: null });
    if (event.seq === last.lastSeq) {
      return refuse('sequence-conflict', 'another event with this sequence number is committed', {
        seq: event.seq,
        committed: last.lastEventId,
      });
    }
    return refuse('superseded', 'a later event of this peer is committed', { seq: event.seq, lastSeq: last.lastSeq });
  }

  #refusedAtTheDoor(event: SignedEvent): Result<never> | undefined {
    const clock = checkSubmitterClock(event.event, Math.floor(this.#options.nowMs() / 1000));
    if (!clock.ok) return clock;
    const policy = this.#refusedByPolicy(event.event.peerId);
    if (policy !== undefined) return policy;
    const elsewhere = this.#options.notHere?.();
    if (elsewhere !== undefined) return elsewhere;
    if (this.waiting >= this.#options.maxWaiting) return busy(this.waiting);
    return this.#options.quorumReachable() ? undefined : noQuorum();
  }

  #refusedByPolicy(peerId: string): Result<never> | undefined {
    const { policy } = this.#options;
    if (policy.kind === 'allow-list' && !policy.peerIds.has(peerId)) {
      return refuse('not-allowed', 'this validator takes submissions of listed peers only', { peerId });
    }
    if (policy.kind === 'staked') {
      const entry = this.#lastOf(peerId);
      if (entry?.kind !== 'record' || entry.stake?.isStaked !== true) {
        return refuse('not-staked', 'this validator takes submissions of staked peers only', { peerId });
      }
    }
    return undefined;
  }

  #lastOf(peerId: string): NodeEntry | undefined {
    const bytes = this.#options.durableState.get(nodeKey(peerId));
    return bytes === undefined ? undefined : decodeOwnEntry(bytes);
  }

  #committedLater(event: VerifiedEvent): Promise<Result<Acknowledged>> {
    const { admit, maxWaitMs, nowMs } = this.#options;
    return new Promise((answer) => {
      const waiter: Waiter = { event: event.id, deadlineMs: nowMs() + maxWaitMs, answer };
      const others = this.#byEvent.get(event.id);
      this.#waiters.add(waiter);
      this.#byEvent.set(event.id, [...(others ?? []), waiter]);
      this.#timer ??= setTimeout(this.#expire, maxWaitMs);
      // Sent again while the first waits, it is under way already.
      const admitted = others === undefined ? admit(event) : ok(undefined);
      if (!admitted.ok) this.#answer(waiter, admitted);
    });
  }

  #answerAll(event: Hash, answer: Result<Acknowledged>): void {
    for (const waiter of this.#byEvent.get(event) ?? []) this.#answer(waiter, answer);
  }

  #answer(waiter: Waiter, answer: Result<Acknowledged>): void {
    this.#waiters.delete(waiter);
    const others = (this.#byEvent.get(waiter.event) ?? []).filter((other) => other !== waiter);
    if (others.length === 0) this.#byEvent.delete(waiter.event);
    else this.#byEvent.set(waiter.event, others);
    waiter.answer(answer);
  }

  /** The event stays with the engine and may commit yet: the answer says so, and the same event can be sent again. */
  readonly #expire = (): void => {
    this.#timer = null;
    const { maxWaitMs, nowMs, quorumReachable } = this.#options;
    const now = nowMs();
    for (const waiter of this.#waiters) {
      // A clock that was set back makes a deadline far; nobody waits longer than was promised.
      const leftMs = Math.min(waiter.deadlineMs - now, maxWaitMs);
      if (leftMs > 0) {
        this.#timer = setTimeout(this.#expire, leftMs);
        return;
      }
      this.#answer(waiter, quorumReachable() ? notYet() : noQuorum());
    }
  };
}

export function busy(waiting: number): Refused {
  return refuse('busy', 'too many submissions are waiting; send the same event again later', {
    waiting,
    retryAfterMs: RETRY_AFTER_MS,
  });
}

function stopping(): Result<never> {
  return refuse('stopping', 'the node stops; send the same event again to another validator', {});
}

function noQuorum(): Result<never> {
  return refuse('no-quorum', 'too few validators are reachable to commit; send the same event again', {
    retryAfterMs: RETRY_AFTER_MS,
  });
}

function notYet(): Result<never> {
  return refuse('not-committed-yet', 'the event waits for its commit; send the same event again to be told', {
    retryAfterMs: RETRY_AFTER_MS,
  });
}
