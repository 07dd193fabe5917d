/** What one peer, and all peers together, may ask of a server: units a second by token buckets, streams by count. */
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import { ok, refuse, type Refusal, type Result } from '../base/result.ts';

/** Told of everything that a server refused, for counters and logs. `peer` is authenticated. */
export type RefusalListener = (protocol: string, peer: string, refusal: Refusal) => void;

export interface RateLimit {
  /** Units (requests, events, bytes: the owner says which) that one peer may use in a second. */
  readonly perPeerPerSecond: number;
  /** Units that all peers together may use in a second. */
  readonly inAllPerSecond: number;
}

export class RateLimits {
  readonly #perPeer: RateLimiterMemory;
  readonly #inAll: RateLimiterMemory;

  constructor(limit: RateLimit) {
    this.#perPeer = new RateLimiterMemory({ points: limit.perPeerPerSecond, duration: 1 });
    this.#inAll = new RateLimiterMemory({ points: limit.inAllPerSecond, duration: 1 });
  }

  /** Refusals: `busy` with `retryAfterMs` and whose limit it was. What a peer over its own limit asks costs the others nothing. */
  async spend(peer: string, units: number): Promise<Result<void>> {
    try {
      await this.#perPeer.consume(peer, units);
    } catch (error) {
      return busy('peer', error);
    }
    try {
      await this.#inAll.consume('', units);
    } catch (error) {
      return busy('all', error);
    }
    return ok(undefined);
  }
}

function busy(whose: 'peer' | 'all', error: unknown): Result<void> {
  if (!(error instanceof RateLimiterRes)) throw error;
  return refuse('busy', 'too much is asked: retry later', { limit: whose, retryAfterMs: error.msBeforeNext });
}

/** Counts what is open at the same time, for each peer and in all. */
export class ConcurrencyLimits {
  readonly #perPeer: number;
  readonly #inAll: number;
  readonly #open = new Map<string, number>();
  #openInAll = 0;

  constructor(perPeer: number, inAll: number) {
    this.#perPeer = perPeer;
    this.#inAll = inAll;
  }

  /** Refusals: `too-many-streams`. Each success is followed by one `leave`. */
  enter(peer: string): Result<void> {
    const open = this.#open.get(peer) ?? 0;
    if (open >= this.#perPeer || this.#openInAll >= this.#inAll) {
      return refuse('too-many-streams', 'too many streams are open', { open, openInAll: this.#openInAll });
    }
    this.#open.set(peer, open + 1);
    this.#openInAll++;
    return ok(undefined);
  }

  leave(peer: string): void {
    const open = (this.#open.get(peer) ?? 1) - 1;
    if (open > 0) this.#open.set(peer, open);
    else this.#open.delete(peer);
    this.#openInAll--;
  }
}
