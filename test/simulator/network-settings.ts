/** What a network does to what it carries, as plain data: a plan of a run holds these and can be written down. */
import type { FrameKind } from './lens.ts';

/** @template K kinds of what it carries */
export interface NetworkSettings<K extends string = FrameKind> {
  /** Every frame takes between these, milliseconds. */
  readonly delayMs: readonly [least: number, most: number];
  /** Some take up to this much longer. */
  readonly late: { readonly chance: number; readonly mostMs: number };
  readonly loss: number;
  readonly duplication: number;
  /** Frames of a link arrive in the order in which they were sent. */
  readonly inOrder: boolean;
  /** One way each. */
  readonly cuts: readonly Cut[];
  /** Links that are cut break after a while, and both ends notice. */
  readonly cutsBreakLinks: boolean;
  readonly rules: readonly KindRule<K>[];
  /** An exchange that gets no answer ends so long after it began, and not when its time is up. Absent: it keeps its time. */
  readonly hangMs?: number;
}

export interface Cut {
  readonly from: readonly number[];
  readonly to: readonly number[];
}

/** For frames of one kind in some rounds, from and to some nodes. */
export interface KindRule<K extends string = FrameKind> {
  readonly kind: K;
  /** Rounds `r` with `r % every === phase`. */
  readonly every: number;
  readonly phase: number;
  readonly from: readonly number[];
  readonly to: readonly number[];
  readonly loss: number;
  readonly extraMs: number;
}

export const CALM: NetworkSettings<never> = {
  delayMs: [0.2, 1],
  late: { chance: 0, mostMs: 0 },
  loss: 0,
  duplication: 0,
  inOrder: true,
  cuts: [],
  cutsBreakLinks: false,
  rules: [],
};

export interface Passage<K extends string = FrameKind> {
  readonly from: number;
  readonly to: number;
  readonly kind: K;
  /** Of the protocol: a term, where there are no rounds. */
  readonly round: number;
}

export function isCut({ cuts }: Pick<NetworkSettings, 'cuts'>, from: number, to: number): boolean {
  return cuts.some((cut) => cut.from.includes(from) && cut.to.includes(to));
}

export function ruleFor<K extends string>(
  { rules }: NetworkSettings<K>,
  { from, kind, round, to }: Passage<K>,
): KindRule<K> | undefined {
  return rules.find(
    (rule) =>
      rule.kind === kind && round % rule.every === rule.phase && rule.from.includes(from) && rule.to.includes(to),
  );
}
