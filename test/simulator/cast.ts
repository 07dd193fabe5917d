/** Who takes part in a run, and what each may do wrong: a function of the seed, as plain data. */
import { Random } from '../../src/base/random.ts';
import { ADVERSARIES, type AdversaryKind } from './adversaries.ts';
import { seedOf } from './dice.ts';

/** Bounds of every node's queues. */
export interface QueueLimits {
  readonly mempoolEvents: number;
  /** Messages of one validator that wait for the loop. */
  readonly inboxMessages: number;
  readonly waitingSubmissions: number;
}

export interface Cast {
  /** Nodes that tell the ledger of themselves. */
  readonly submitters: number;
  /** Validators' operators decide things together. */
  readonly operators?: boolean;
  readonly limits: QueueLimits;
  /** Validators of which there are two, with one key. */
  readonly twins: readonly number[];
  readonly adversaries: readonly { readonly index: number; readonly kind: AdversaryKind }[];
  /** Their disks may be lost: they count among the f for good. */
  readonly lostDisks: readonly number[];
  /** Their clocks may be hours off. */
  readonly badClocks: readonly number[];
}

/** Those from whom something new is to be expected every time. */
const INVENTIVE: readonly AdversaryKind[] = ['equivocator', 'forger', 'forger', 'mutator', 'stale-parent leader'];

export const AMPLE: QueueLimits = { mempoolEvents: 1_000, inboxMessages: 256, waitingSubmissions: 256 };

/** At most f are faulty in all: twins and adversaries from the beginning, others only when they lose their disk. */
export function castOf(seed: number, validators: number): Cast {
  const random = new Random(seedOf(seed, 0));
  const f = Math.floor((validators - 1) / 3);
  const order = random.shuffled(Array.from({ length: validators }, (_, index) => index)).slice(0, f);
  const traitors = random.chance(0.25) ? [] : order.slice(0, 1 + random.below(f));
  const twins = traitors.filter(() => random.chance(0.2));
  const adversaries = traitors
    .filter((index) => !twins.includes(index))
    .map((index) => ({ index, kind: random.pick(random.chance(0.5) ? ADVERSARIES : INVENTIVE) }));
  const limits = {
    mempoolEvents: random.pick([4, 32, 1_000]),
    inboxMessages: random.pick([24, 256]),
    waitingSubmissions: random.pick([2, 8, 256]),
  };
  return {
    submitters: random.pick([1, 2, 3, 8]),
    limits,
    twins,
    adversaries,
    lostDisks: order.slice(traitors.length),
    badClocks: order,
    operators: random.chance(0.5),
  };
}
