/** Validators that break the rules, as what becomes of what they would send. They live here and never in `src/`. */
import { fractionOf } from './dice.ts';
import { Forger } from './forger.ts';
import type { SeenFrame } from './lens.ts';
import { LyingServer } from './lying-server.ts';
import type { SigningBook, SimulatedChain } from './simulated-keys.ts';
import type { SimulatedValidator } from './simulated-validator.ts';
import { StaleParentLeader } from './stale-parent.ts';

export const ADVERSARIES = [
  'silent leader',
  'vote withholder',
  'mute',
  'two-faced',
  'double voter',
  'mutator',
  'flooder',
  'replayer',
  'equivocator',
  'forger',
  'lying server',
  'stale-parent leader',
] as const;

export type AdversaryKind = (typeof ADVERSARIES)[number];

export interface Adversary {
  /** What leaves in place of this frame. */
  frames(to: SimulatedValidator, seen: SeenFrame): readonly Uint8Array[];
  /** What it answers in place of these blocks. */
  answer(bytes: Uint8Array): Uint8Array;
  /** Whether its own validator is told of what came from this one. */
  hears(from: SimulatedValidator, seen: SeenFrame): boolean;
}

/** What an adversary may use: its own key, its own links, and chance. */
export interface AdversaryTools {
  readonly chain: SimulatedChain;
  readonly book: SigningBook;
  readonly index: number;
  readonly seed: number;
  /** Something that it does and its validator would not. */
  readonly send: (to: number, frame: Uint8Array) => void;
  readonly after: (delayMs: number, run: () => void) => void;
  readonly count: (what: string) => void;
}

/** Frames that a replayer keeps. */
const REMEMBERED_FRAMES = 64;

export function adversary(kind: AdversaryKind, tools: AdversaryTools): Adversary {
  const { seed } = tools;
  const forger = new Forger(tools);
  const stale = new StaleParentLeader(tools, forger);
  const liar = new LyingServer(tools);
  const remembered: Uint8Array[] = [];
  let count = 0;
  const send = (to: SimulatedValidator, seen: SeenFrame): readonly Uint8Array[] => {
    const { frame } = seen;
    count++;
    switch (kind) {
      case 'silent leader':
        if (seen.kind === 'proposal') tools.count('a proposal withheld');
        return seen.kind === 'proposal' ? [] : [frame];
      case 'vote withholder':
        if (seen.kind === 'vote') tools.count('a vote withheld');
        return seen.kind === 'vote' ? [] : [frame];
      case 'mute':
        tools.count('anything withheld');
        return [];
      case 'two-faced':
        // Half of the others hear of it, by turns.
        tools.count('a frame for half of the others');
        return (to.id + seen.round) % 2 === 0 ? [frame] : [];
      case 'mutator':
        if (fractionOf(seed, count, 0) < 0.5) return [frame];
        tools.count(`mutated: ${seen.kind}`);
        return [mutated(frame, seed, count)];
      case 'double voter':
        return forger.voteTwice(seen);
      case 'flooder':
        if (fractionOf(seed, count, 0) < 0.8) return [frame];
        tools.count('a frame a hundred times');
        return Array.from({ length: 100 }, () => frame);
      case 'replayer':
        remembered[Math.floor(fractionOf(seed, count, 1) * REMEMBERED_FRAMES)] = frame;
        tools.count('a frame of before');
        return [frame, remembered[Math.floor(fractionOf(seed, count, 2) * REMEMBERED_FRAMES)] ?? frame];
      case 'equivocator':
        return forger.equivocate(to, seen);
      case 'forger': {
        // All are told of the same block.
        const key = seen.kind === 'proposal' ? -seen.round : count;
        return fractionOf(seed, key, 0) < 0.3 ? [frame] : forger.forge(seen, fractionOf(seed, key, 3));
      }
      case 'stale-parent leader':
        return stale.replace(seen);
      case 'lying server':
        return [frame];
    }
  };
  return {
    frames: send,
    hears: (from, seen) => {
      if (kind === 'forger') forger.hears(from.index, seen);
      return kind !== 'stale-parent leader' || stale.hears(from.index, seen);
    },
    answer: (bytes) => {
      count++;
      if (kind === 'mutator') return mutated(bytes, seed, count);
      return kind === 'lying server' ? liar.answer(bytes) : bytes;
    },
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
