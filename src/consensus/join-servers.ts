/** The servers that a joining node knows: what each offers, how it answers, and which of them lied. */
import type { Refusal } from '../base/result.ts';
import { isSameSnapshot, type SnapshotName, type SnapshotOffer } from '../ledger/snapshot-offer.ts';
import { offersSnapshot } from './join-choice.ts';
import type { ServerId, ServerStatus } from './join-contract.ts';

/** More are not asked: any few honest ones are enough. */
const MAX_SERVERS = 64;
/** Chunks that one server is asked for at once. */
const MAX_WINDOW = 4;
/** The pause after a failure, doubled with each one more in a row. */
const REST_MS = 500;
const MAX_REST_MS = 15_000;
/** A server that asks for patience gets at most this much. */
const MAX_RETRY_AFTER_MS = 5_000;

/** Refusals of a server that has too much to do: they tell nothing of what it has. */
const BUSY = new Set(['busy', 'too-many-streams']);
/** Answers of a form that no honest server gives. */
const FALSE_FORM = new Set(['answer-invalid', 'frame-too-large']);

export type Fault = 'busy' | 'gone' | 'lie' | 'silence';

export interface Server {
  readonly id: ServerId;
  /** Null until it answered in this round. */
  offer: SnapshotOffer | null;
  /** Was asked for its offer in this round, and has answered or failed. */
  isHeard: boolean;
  /** Questions under way. */
  underWay: number;
  /** Chunks that it may be asked for at once. */
  window: number;
  failuresInARow: number;
  restUntilMs: number;
  dropped: Refusal | null;
  chunks: number;
  bytes: number;
}

export class JoinServers {
  readonly #servers = new Map<ServerId, Server>();

  know(ids: readonly ServerId[]): void {
    for (const id of ids) {
      if (this.#servers.has(id) || this.#servers.size >= MAX_SERVERS) continue;
      this.#servers.set(id, {
        id,
        offer: null,
        isHeard: false,
        underWay: 0,
        window: MAX_WINDOW,
        failuresInARow: 0,
        restUntilMs: 0,
        dropped: null,
        chunks: 0,
        bytes: 0,
      });
    }
  }

  get(id: ServerId): Server {
    return this.#servers.get(id) as Server;
  }

  /** Those that did not lie. */
  standing(): Server[] {
    return [...this.#servers.values()].filter(({ dropped }) => dropped === null);
  }

  offers(): ReadonlyMap<ServerId, SnapshotOffer> {
    return new Map(
      this.standing().flatMap(({ id, offer }): [ServerId, SnapshotOffer][] => (offer === null ? [] : [[id, offer]])),
    );
  }

  holdersOf(of: SnapshotName): Server[] {
    return this.standing().filter(({ offer }) => offersSnapshot(offer, of));
  }

  /** A new round: everybody is asked again, at once. */
  forgetOffers(): void {
    for (const server of this.#servers.values()) {
      server.offer = null;
      server.isHeard = false;
    }
  }

  helped(server: Server, bytes: number): void {
    server.chunks++;
    server.bytes += bytes;
    server.failuresInARow = 0;
    server.window = Math.min(server.window + 1, MAX_WINDOW);
  }

  /** What a failed question says of the server, and what follows for it. */
  failed(server: Server, refusal: Refusal, of: SnapshotName | null, elapsedMs: number): Fault {
    const fault = faultOf(refusal);
    if (fault === 'busy') {
      const { retryAfterMs } = refusal.details;
      const restMs = typeof retryAfterMs === 'number' ? retryAfterMs : REST_MS;
      server.restUntilMs = elapsedMs + Math.min(Math.max(restMs, 1), MAX_RETRY_AFTER_MS);
      server.window = Math.max(1, server.window - 1);
    } else if (fault === 'lie') {
      server.dropped = refusal;
    } else {
      if (fault === 'gone' && of !== null) withdraw(server, of);
      server.restUntilMs = elapsedMs + Math.min(REST_MS * 2 ** server.failuresInARow, MAX_REST_MS);
      server.failuresInARow++;
      server.window = 1;
    }
    return fault;
  }

  status(): readonly ServerStatus[] {
    return [...this.#servers.values()].map(({ id, chunks, bytes, dropped }) => ({
      server: id,
      chunks,
      bytes,
      droppedBecause: dropped?.code ?? null,
    }));
  }
}

function faultOf({ code }: Refusal): Fault {
  if (BUSY.has(code)) return 'busy';
  if (FALSE_FORM.has(code)) return 'lie';
  return code === 'snapshot-gone' ? 'gone' : 'silence';
}

function withdraw(server: Server, of: SnapshotName): void {
  if (server.offer === null) return;
  const snapshots = server.offer.snapshots.filter((offered) => !isSameSnapshot(offered, of));
  server.offer = { ...server.offer, snapshots };
}
