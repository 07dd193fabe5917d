/**
 * Votes on their way to a certificate.
 *
 * The next leader makes the certificate as soon as it holds a quorum, because its proposal waits for it. The others
 * that hold the votes (the leader after it; everybody, when votes travel beside timeouts) would spend 2 ms of CPU
 * each on a certificate that is most likely under way; they wait `backupDelayMs`, or until they gave up on the round.
 */
import type { ValidatorIndex } from '../consensus/engine.ts';
import type { VoteData } from '../qc/ballot.ts';
import { BallotSlots, type Slot, type Taken } from './ballot-slots.ts';
import { sameVote } from './commit-rule.ts';

/** A quorum of validators voted the same. */
export interface VoteQuorum {
  readonly vote: VoteData;
  readonly ballots: readonly Slot<VoteData>[];
  /** Elapsed milliseconds when it came together. */
  readonly sinceMs: number;
}

export class VoteCollector {
  readonly #quorum: number;
  readonly #slots = new BallotSlots<VoteData>(sameVote);
  /** Quorums that came together, by round: at most one a round, as two would need more than f double voters. */
  readonly #reached = new Map<number, { readonly vote: VoteData; readonly sinceMs: number; collecting: boolean }>();

  constructor(quorum: number) {
    this.#quorum = quorum;
  }

  get slots(): BallotSlots<VoteData> {
    return this.#slots;
  }

  take(from: ValidatorIndex, vote: VoteData, signature: Uint8Array): Taken<VoteData> {
    return this.#slots.take(from, vote, signature);
  }

  /** Quorums whose certificate nobody is making here yet. */
  quorums(elapsedMs: number): readonly VoteQuorum[] {
    if (this.#slots.counting().length < this.#quorum) return [];
    const found: VoteQuorum[] = [];
    for (const ballots of this.#alike()) {
      const vote = ballots[0]?.ballot;
      if (vote === undefined || ballots.length < this.#quorum) continue;
      const reached = this.#reached.get(vote.round) ?? { vote, sinceMs: elapsedMs, collecting: false };
      this.#reached.set(vote.round, reached);
      if (!reached.collecting) found.push({ vote, ballots, sinceMs: reached.sinceMs });
    }
    return found;
  }

  /** A job for the quorum of this round is under way, or has ended. */
  setCollecting(round: number, collecting: boolean): void {
    const reached = this.#reached.get(round);
    if (reached !== undefined) reached.collecting = collecting;
  }

  forgetThrough(round: number): void {
    this.#slots.forgetThrough(round);
    for (const reached of this.#reached.keys()) if (reached <= round) this.#reached.delete(reached);
  }

  #alike(): Slot<VoteData>[][] {
    const groups: Slot<VoteData>[][] = [];
    for (const slot of this.#slots.counting()) {
      const group = groups.find(([first]) => first !== undefined && sameVote(first.ballot, slot.ballot));
      if (group === undefined) groups.push([slot]);
      else group.push(slot);
    }
    return groups;
  }
}
