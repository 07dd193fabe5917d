/**
 * What validators remember of each other's ballots, to tell it to one that may have forgotten.
 *
 * A safety record that was restored from a backup is consistent in itself: nothing on the disk shows that votes were
 * sent after it. But the others saw them. So, on connecting and when asked, a validator returns the highest vote and
 * timeout that it holds from the other, with the signature, as proof; and after a start nobody signs before it has heard
 * from a quorum, itself included. (`SafetyRules.hear` judges what is heard.)
 */
import type { ValidatorIndex } from '../consensus/engine.ts';
import type { TimeoutData, VoteData } from '../qc/ballot.ts';
import type { Signed, WitnessMessage } from './messages.ts';

interface Testimony {
  vote: Signed<VoteData> | null;
  timeout: Signed<TimeoutData> | null;
}

export class Witnesses {
  readonly #epoch: number;
  readonly #held = new Map<ValidatorIndex, Testimony>();

  constructor(epoch: number) {
    this.#epoch = epoch;
  }

  noteVote(from: ValidatorIndex, ballot: VoteData, signature: Uint8Array): void {
    const held = this.#of(from);
    if (ballot.round > (held.vote?.ballot.round ?? 0)) held.vote = { ballot, signature };
  }

  noteTimeout(from: ValidatorIndex, ballot: TimeoutData, signature: Uint8Array): void {
    const held = this.#of(from);
    if (ballot.round > (held.timeout?.ballot.round ?? 0)) held.timeout = { ballot, signature };
  }

  /** @param asks whether the same is wanted in return */
  tell(peer: ValidatorIndex, asks: boolean): WitnessMessage {
    const { vote, timeout } = this.#of(peer);
    return { kind: 'witness', epoch: this.#epoch, asks, vote, timeout };
  }

  #of(peer: ValidatorIndex): Testimony {
    const held = this.#held.get(peer) ?? { vote: null, timeout: null };
    this.#held.set(peer, held);
    return held;
  }
}
