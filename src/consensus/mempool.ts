/**
 * Events that wait for a block. Bounded; in order of arrival, and within one node in the order of its sequence numbers.
 *
 * An entry leaves in two ways only: it is committed, or the committed state refuses it for ever (that it grew too old
 * is such a refusal, once the chain's own time says so). Being in a block is not enough, as the block may lose.
 *
 * The mempool does not know the ledger's rules: it is handed a judge.
 */
import { assert } from '../base/assert.ts';
import type { Hash } from '../base/hash.ts';
import { refuse, type Refusal, type Result, ok } from '../base/result.ts';
import type { VerifiedEvent } from '../ledger/verified-event.ts';

export interface MempoolLimits {
  readonly maxEvents: number;
  readonly maxBytes: number;
  readonly maxEventsPerPeer: number;
}

export const DEFAULT_MEMPOOL_LIMITS: MempoolLimits = {
  maxEvents: 16_384,
  maxBytes: 32 * 1024 * 1024,
  maxEventsPerPeer: 4,
};

/** Why the committed state can never take this event, or null while it may. */
export type Judge = (event: VerifiedEvent) => Refusal | null;

export interface Rejection {
  readonly event: VerifiedEvent;
  readonly refusal: Refusal;
}

export class Mempool {
  readonly #limits: MempoolLimits;
  /** In order of arrival. */
  readonly #entries = new Map<Hash, VerifiedEvent>();
  /** By sequence number, rising. */
  readonly #byPeer = new Map<string, VerifiedEvent[]>();
  #bytes = 0;

  constructor(limits: MempoolLimits = DEFAULT_MEMPOOL_LIMITS) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#entries.size;
  }

  /**
   * @returns whether it is new here
   *
   * Refusals: `mempool-full`, `peer-queue-full` (both: try later), `sequence-conflict`, and those of the judge, who is
   * asked only where nothing of this node is under way that may make the event valid.
   */
  add(event: VerifiedEvent, judge: Judge): Result<boolean> {
    if (this.#entries.has(event.id)) return ok(false);
    const { peerId, seq } = event.event;
    const queue = this.#byPeer.get(peerId) ?? [];
    if (queue.some((waiting) => waiting.event.seq === seq)) {
      return refuse('sequence-conflict', 'another event of this node with this number is waiting', { peerId, seq });
    }
    const refusal = queue.length === 0 ? judge(event) : null;
    if (refusal !== null) return { ok: false, refusal };
    if (queue.length >= this.#limits.maxEventsPerPeer) {
      return refuse('peer-queue-full', 'too many events of this node are waiting', { peerId, waiting: queue.length });
    }
    if (this.size >= this.#limits.maxEvents || this.#bytes + event.bytes.length > this.#limits.maxBytes) {
      return refuse('mempool-full', 'too many events are waiting', { events: this.size, bytes: this.#bytes });
    }
    this.#entries.set(event.id, event);
    this.#byPeer.set(
      peerId,
      [...queue, event].sort((a, b) => a.event.seq - b.event.seq),
    );
    this.#bytes += event.bytes.length;
    return ok(true);
  }

  /**
   * In the order in which a block should take them: each node's turns are those of its arrivals, filled in the order of
   * its numbers.
   *
   * @param inFlight ids that an uncommitted ancestor of the block holds already
   */
  *candidates(inFlight: ReadonlySet<Hash>): Generator<VerifiedEvent, undefined> {
    const taken = new Map<string, number>();
    for (const { event } of this.#entries.values()) {
      const turn = taken.get(event.peerId) ?? 0;
      taken.set(event.peerId, turn + 1);
      const next = this.#byPeer.get(event.peerId)?.[turn];
      assert(next !== undefined, "a node's turns are as many as its entries", { peerId: event.peerId, turn });
      if (!inFlight.has(next.id)) yield next;
    }
    return undefined;
  }

  /** The first of `candidates`, at most this many. */
  next(count: number): readonly VerifiedEvent[] {
    const found: VerifiedEvent[] = [];
    for (const event of this.candidates(new Set())) {
      if (found.length >= count) break;
      found.push(event);
    }
    return found;
  }

  /** Whether some entry satisfies this; asked of the oldest first. */
  some(condition: (event: VerifiedEvent) => boolean): boolean {
    for (const event of this.#entries.values()) if (condition(event)) return true;
    return false;
  }

  /** Nodes with an entry that satisfies this. */
  peersOf(condition: (event: VerifiedEvent) => boolean): ReadonlySet<string> {
    const peerIds = new Set<string>();
    for (const event of this.#entries.values()) if (condition(event)) peerIds.add(event.event.peerId);
    return peerIds;
  }

  /** Unix seconds: the least time of an event that waits; Infinity where none does. */
  get earliestTime(): number {
    let earliest = Infinity;
    for (const { event } of this.#entries.values()) earliest = Math.min(earliest, event.time);
    return earliest;
  }

  /** It was committed, or refused for ever. */
  remove(id: Hash): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    this.#entries.delete(id);
    this.#bytes -= entry.bytes.length;
    const { peerId } = entry.event;
    const queue = (this.#byPeer.get(peerId) ?? []).filter((waiting) => waiting.id !== id);
    if (queue.length === 0) this.#byPeer.delete(peerId);
    else this.#byPeer.set(peerId, queue);
  }

  /** What of these nodes can no longer be committed leaves: the first entry of each is judged, and so on. */
  rejudge(peerIds: Iterable<string>, judge: Judge): readonly Rejection[] {
    const rejections: Rejection[] = [];
    for (const peerId of peerIds) {
      for (const event of this.#byPeer.get(peerId) ?? []) {
        const refusal = judge(event);
        if (refusal === null) break;
        this.remove(event.id);
        rejections.push({ event, refusal });
      }
    }
    return rejections;
  }
}
