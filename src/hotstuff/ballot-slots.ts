/**
 * One slot a validator for one kind of ballot: the highest round that it sent. What a validator can make this node
 * hold is thus bounded, whatever it sends, and a later ballot of an honest one always takes the place of an older.
 *
 * Signatures in slots are not verified; the channel says who sent them. They are verified together, as one aggregate,
 * when there are enough. Whoever is found out then is a suspect: later ballots of a suspect do not count before they
 * were verified by themselves.
 */
import type { ValidatorIndex } from '../consensus/engine.ts';

export interface Slot<T> {
  readonly signer: ValidatorIndex;
  readonly ballot: T;
  readonly signature: Uint8Array;
  /** A suspect's ballot counts after it was verified by itself. */
  state: 'counts' | 'unchecked' | 'under check';
}

export type Taken<T> =
  | { readonly kind: 'held' | 'known' }
  | { readonly kind: 'conflict'; readonly first: Slot<T>; readonly second: Slot<T> };

export class BallotSlots<T extends { readonly round: number }> {
  readonly #same: (a: T, b: T) => boolean;
  readonly #slots = new Map<ValidatorIndex, Slot<T>>();
  readonly #suspects = new Set<ValidatorIndex>();
  /** What `counting` gave last, until a slot changes: it is asked at every step of the engine. */
  #counting: readonly Slot<T>[] | null = null;

  constructor(same: (a: T, b: T) => boolean) {
    this.#same = same;
  }

  take(signer: ValidatorIndex, ballot: T, signature: Uint8Array): Taken<T> {
    const state = this.#suspects.has(signer) ? 'unchecked' : 'counts';
    const slot: Slot<T> = { signer, ballot, signature, state };
    const held = this.#slots.get(signer);
    if (held === undefined || held.ballot.round < ballot.round) {
      this.#slots.set(signer, slot);
      this.#counting = null;
      return { kind: 'held' };
    }
    if (held.ballot.round > ballot.round || this.#same(held.ballot, ballot)) return { kind: 'known' };
    return { kind: 'conflict', first: held, second: slot };
  }

  of(signer: ValidatorIndex): Slot<T> | undefined {
    return this.#slots.get(signer);
  }

  /** Those that count, in the order of their signers. */
  counting(): readonly Slot<T>[] {
    this.#counting ??= [...this.#slots.values()]
      .filter(({ state }) => state === 'counts')
      .sort((a, b) => a.signer - b.signer);
    return this.#counting;
  }

  /** Suspects' ballots that are to be checked by themselves. */
  unchecked(): readonly Slot<T>[] {
    if (this.#suspects.size === 0) return [];
    return [...this.#slots.values()].filter(({ state }) => state === 'unchecked').sort((a, b) => a.signer - b.signer);
  }

  /** The only way in which a slot changes. */
  mark(slot: Slot<T>, state: Slot<T>['state']): void {
    slot.state = state;
    this.#counting = null;
  }

  /** This signer's ballot of this round was false: it is dropped, and its next ones are checked singly. */
  convict(signer: ValidatorIndex, round: number): void {
    this.#suspects.add(signer);
    this.#counting = null;
    if (this.#slots.get(signer)?.ballot.round === round) this.#slots.delete(signer);
  }

  /** Drops what is of no more use. */
  forgetThrough(round: number): void {
    for (const [signer, { ballot }] of this.#slots) {
      if (ballot.round > round) continue;
      this.#slots.delete(signer);
      this.#counting = null;
    }
  }
}
