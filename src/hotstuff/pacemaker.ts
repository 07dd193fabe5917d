/**
 * When to give up on a round (Jolteon, section 3; the timer as in DiemBFT v4, `Pacemaker`).
 *
 *     round = max(highest certificate, highest timeout certificate) + 1       jump, never increment
 *     timer = min(base * 1.2^k, 60 s),  k = round - 1 - highest certificate's round
 *
 * k counts the rounds that failed since the last certificate, from state and not from history: replicas that know the
 * same certificates wait equally long, whatever each went through, and one certificate ends the back-off.
 *
 * The timer runs only while there is something to agree on, from the later of entering the round and becoming busy. A
 * network that was idle for an hour is in a round that it entered an hour ago: the first event after that must find a
 * whole timer ahead of it, not one that ended long before.
 */
import { assert } from '../base/assert.ts';

export const MAX_TIMEOUT_MS = 60_000;
const BACKOFF = 1.2;

/** @param failedRounds rounds entered since the highest certificate without one */
export function timeoutMs(baseMs: number, failedRounds: number): number {
  return Math.round(Math.min(baseMs * BACKOFF ** failedRounds, MAX_TIMEOUT_MS));
}

export class Pacemaker {
  readonly #baseMs: number;
  #round = 0;
  #waitMs = 0;
  #enteredAtMs = 0;
  /** Null while idle. */
  #busySinceMs: number | null = null;
  /** When this round's timeout was last sent; null before. */
  #gaveUpAtMs: number | null = null;

  constructor(baseMs: number) {
    assert(baseMs > 0, 'a round takes some time', { baseMs });
    this.#baseMs = baseMs;
  }

  get round(): number {
    return this.#round;
  }

  /**
   * @param certificateRound of the highest certificate
   * @param timeoutCertificateRound of the highest timeout certificate, 0 without one
   * @returns whether this is another round than before
   */
  follow(certificateRound: number, timeoutCertificateRound: number, elapsedMs: number): boolean {
    const round = Math.max(certificateRound, timeoutCertificateRound) + 1;
    assert(round >= this.#round, 'rounds only rise', { round, was: this.#round });
    this.#waitMs = timeoutMs(this.#baseMs, round - 1 - certificateRound);
    if (round === this.#round) return false;
    this.#round = round;
    this.#enteredAtMs = elapsedMs;
    this.#gaveUpAtMs = null;
    return true;
  }

  /** Whether there is anything to agree on. */
  setBusy(busy: boolean, elapsedMs: number): void {
    if (!busy) this.#busySinceMs = null;
    else this.#busySinceMs ??= elapsedMs;
  }

  /** When the round is to be given up, or its timeout sent again; undefined while nothing waits for it. */
  get expiresAtMs(): number | undefined {
    if (this.#busySinceMs === null) return undefined;
    if (this.#gaveUpAtMs !== null) return this.#gaveUpAtMs + this.#baseMs;
    return Math.max(this.#enteredAtMs, this.#busySinceMs) + this.#waitMs;
  }

  hasExpired(elapsedMs: number): boolean {
    return this.expiresAtMs !== undefined && elapsedMs >= this.expiresAtMs;
  }

  /** This round's timeout was sent, for the first time or again. */
  gaveUp(elapsedMs: number): void {
    this.#gaveUpAtMs = elapsedMs;
  }

  get hasGivenUp(): boolean {
    return this.#gaveUpAtMs !== null;
  }
}
