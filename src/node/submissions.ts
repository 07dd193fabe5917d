/**
 * Submissions, from a peer's event to the answer that it is committed.
 *
 * Order matters: a duplicate is answered as the committed event was before its time is judged, so that a sender whose
 * acknowledgement was lost can always ask again. Acknowledged means committed and durable on this validator.
 */
import { ok, refuse, type Refusal, type Result } from '../base/result.ts';
import type { Hash } from '../base/hash.ts';
import type { CommittedBlock } from '../consensus/engine.ts';
import { checkSubmitterClock } from '../ledger/admission-time.ts';
import type { SignedEvent } from '../ledger/event.ts';
import { nodeEntryCodec, type NodeEntry } from '../ledger/record.ts';
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
  readonly verifier: EventVerifier;
  /** The committed state. */
  readonly state: StateReader;
  readonly policy: SubmissionPolicy;
  /** Submissions that may wait for their commit. */
  readonly maxWaiting: number;
  /** How long a submission waits for its commit before it is answered `no-quorum` or `not-committed-yet`. */
  readonly maxWaitMs: number;
  readonly nowMs: () => number;
  /** Whether this node and the validators it is connected to are a quorum. */
  readonly quorumReachable: () => boolean;
  /** Hands verified events to the engine and to the other validators. */
  readonly admit: (event: VerifiedEvent) => void;
}

/** What a refused submitter is told to wait before it sends the same event again. */
const RETRY_AFTER_MS = 1_000;

interface Waiter {
  readonly deadlineMs: number;
  readonly answer: (answer: Result<Acknowledged>) => void;
}

export class Submissions {
  readonly #options: SubmissionsOptions;
  /** In order of arrival, hence of deadline. */
  readonly #waiting = new Map<Hash, Waiter[]>();
  #waiters = 0;
  #underCheck = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(options: SubmissionsOptions) {
    this.#options = options;
  }

  get waiting(): number {
    return this.#waiters + this.#underCheck;
  }

  /**
   * Resolves when the event is committed (or, where asked, in the mempool), or refused. Refusals: `superseded`, `sequence-conflict`, `clock-skew`,
   * `not-allowed`, `not-staked`, `busy`, `no-quorum`, `signature-invalid`, `not-committed-yet`, and every refusal of
   * `applyEvent`.
   */
  async submit(event: SignedEvent, until: 'committed' | 'accepted' = 'committed'): Promise<Result<Acknowledged>> {
    const answered = this.#answeredByState(event) ?? this.#refusedAtTheDoor(event);
    if (answered !== undefined) return answered;
    this.#underCheck += 1;
    const verified = await this.#options.verifier.verify(event).finally(() => {
      this.#underCheck -= 1;
    });
    if (!verified.ok) return verified;
    // It may have been committed while its signature was checked: then no commit to come would answer it.
    const committed = this.#answeredByState(event);
    if (committed !== undefined) return committed;
    if (until === 'accepted') {
      this.#options.admit(verified.value);
      return ok({ event: event.id, height: null });
    }
    return new Promise((answer) => {
      this.#wait(event.id, { deadlineMs: this.#options.nowMs() + this.#options.maxWaitMs, answer });
      this.#options.admit(verified.value);
    });
  }

  /** Blocks that became durable. */
  committed(blocks: readonly CommittedBlock[]): void {
    if (this.#waiting.size === 0) return;
    for (const { block } of blocks) {
      for (const { id } of block.events) this.#answer(id, ok({ event: id, height: block.header.height }));
    }
  }

  /** The engine will never commit this event. */
  rejected(event: Hash, refusal: Refusal): void {
    this.#answer(event, { ok: false, refusal });
  }

  /** Answers all that wait: the node stops. */
  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    for (const id of [...this.#waiting.keys()]) {
      this.#answer(id, refuse('stopping', 'the node stops; send the same event again to another validator', {}));
    }
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
    if (this.waiting >= this.#options.maxWaiting) {
      return refuse('busy', 'too many submissions are waiting; send the same event again later', {
        waiting: this.waiting,
        retryAfterMs: RETRY_AFTER_MS,
      });
    }
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
    const bytes = this.#options.state.get(nodeKey(peerId));
    if (bytes === undefined) return undefined;
    const entry = nodeEntryCodec.decode(bytes);
    if (!entry.ok) throw new Error(`the state holds an undecodable entry of ${peerId}`);
    return entry.value;
  }

  #wait(id: Hash, waiter: Waiter): void {
    const others = this.#waiting.get(id);
    if (others === undefined) this.#waiting.set(id, [waiter]);
    else others.push(waiter);
    this.#waiters += 1;
    this.#timer ??= setTimeout(this.#expire, this.#options.maxWaitMs);
  }

  #answer(id: Hash, answer: Result<Acknowledged>): void {
    const waiters = this.#waiting.get(id);
    if (waiters === undefined) return;
    this.#waiting.delete(id);
    this.#waiters -= waiters.length;
    for (const waiter of waiters) waiter.answer(answer);
  }

  /** The event stays with the engine and may commit yet: the answer says so, and the same event can be sent again. */
  #expire = (): void => {
    this.#timer = null;
    const now = this.#options.nowMs();
    for (const [id, waiters] of this.#waiting) {
      const deadlineMs = Math.max(...waiters.map((waiter) => waiter.deadlineMs));
      if (deadlineMs > now) {
        this.#timer = setTimeout(this.#expire, deadlineMs - now);
        return;
      }
      this.#answer(id, this.#options.quorumReachable() ? notYet() : noQuorum());
    }
  };
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
