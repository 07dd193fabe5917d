/** Validators that break the rules, as what becomes of the frames that they would send. */
import { fractionOf } from './dice.ts';
import type { Interceptor } from './world.ts';

export const ADVERSARIES = ['silent leader', 'vote withholder', 'mutator', 'two-faced', 'mute'] as const;

export type AdversaryKind = (typeof ADVERSARIES)[number];

/** @param seed of this adversary */
export function adversary(kind: AdversaryKind, seed: number): Interceptor {
  let sent = 0;
  return (_life, to, { frame, kind: frameKind, round }) => {
    sent++;
    switch (kind) {
      case 'silent leader':
        return frameKind === 'proposal' ? [] : [frame];
      case 'vote withholder':
        return frameKind === 'vote' ? [] : [frame];
      case 'two-faced':
        // Half of the others hear of it, by turns.
        return (to.id + round) % 2 === 0 ? [frame] : [];
      case 'mute':
        return [];
      case 'mutator':
        return fractionOf(seed, sent, 0) < 0.5 ? [frame] : [mutated(frame, seed, sent)];
    }
  };
}

/** A bit turned over, a piece cut off, or a piece written over. */
function mutated(frame: Uint8Array, seed: number, nth: number): Uint8Array {
  const place = Math.floor(fractionOf(seed, nth, 1) * frame.length);
  const die = fractionOf(seed, nth, 2);
  if (die < 0.1) return frame.slice(0, place);
  const copy = frame.slice();
  if (die < 0.7) copy[place]! ^= 1 << Math.floor(fractionOf(seed, nth, 3) * 8);
  else copy.fill(Math.floor(fractionOf(seed, nth, 4) * 256), place, place + 4);
  return copy;
}
