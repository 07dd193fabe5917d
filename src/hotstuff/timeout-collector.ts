/**
 * Timeouts on their way to a timeout certificate.
 *
 * f + 1 of them mean that a correct validator gave up: time to give up too (so that all do, and at about the same
 * time). A quorum makes the certificate, which needs the highest certificate that any of its signers knew. Only a
 * verified one may go in: one timeout with a forged certificate would spoil the work of all the others. So timeouts
 * that claim more than this node has verified are left out of the aggregate; whoever truly knows more can make it.
 */
import type { ValidatorIndex } from '../consensus/engine.ts';
import type { TimeoutData } from '../qc/ballot.ts';
import { BallotSlots, type Slot, type Taken } from './ballot-slots.ts';

export class TimeoutCollector {
  readonly #quorum: number;
  readonly #slots = new BallotSlots<TimeoutData>((a, b) => a.highRound === b.highRound);
  #collectingRound = 0;

  constructor(quorum: number) {
    this.#quorum = quorum;
  }

  get slots(): BallotSlots<TimeoutData> {
    return this.#slots;
  }

  take(from: ValidatorIndex, timeout: TimeoutData, signature: Uint8Array): Taken<TimeoutData> {
    return this.#slots.take(from, timeout, signature);
  }

  /** Validators other than `self` that gave up on `round`. */
  othersAt(round: number, self: ValidatorIndex): number {
    let others = 0;
    for (const { ballot, signer } of this.#slots.counting()) if (ballot.round === round && signer !== self) others++;
    return others;
  }

  /**
   * The timeouts of `round` that can make a certificate now, or undefined.
   *
   * @param isVerified whether a certificate of this round was verified here
   */
  quorum(round: number, isVerified: (round: number) => boolean): readonly Slot<TimeoutData>[] | undefined {
    if (this.#collectingRound >= round || this.#slots.counting().length < this.#quorum) return undefined;
    const usable = this.#at(round).sort((a, b) => b.ballot.highRound - a.ballot.highRound);
    while (usable[0] !== undefined && !isVerified(usable[0].ballot.highRound)) usable.shift();
    return usable.length >= this.#quorum ? usable : undefined;
  }

  /** A job for this round is under way (0: none). */
  setCollecting(round: number): void {
    this.#collectingRound = round;
  }

  forgetThrough(round: number): void {
    this.#slots.forgetThrough(round);
  }

  #at(round: number): Slot<TimeoutData>[] {
    return this.#slots.counting().filter(({ ballot }) => ballot.round === round);
  }
}
