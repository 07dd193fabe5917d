/**
 * Delta debugging (Zeller and Hildebrandt, "Simplifying and isolating failure-inducing input", 2002), for whatever has
 * smaller versions: one that still fails is taken in place of the whole, until none of its smaller versions fails.
 */

export interface Search<T> {
  /**
   * The boldest first. Each must be smaller by some measure that cannot fall for ever, and a function of the value alone.
   */
  readonly smaller: (value: T) => Iterable<T>;
  readonly fails: (candidate: T) => boolean | Promise<boolean>;
  /** Asked before each candidate, of which so many were tried. A bound of this number makes the search deterministic. */
  readonly mayTry: (tried: number) => boolean;
}

export interface Minimized<T> {
  readonly value: T;
  readonly tried: number;
  /** None of its smaller versions fails. Else the search ended before it knew. */
  readonly isMinimal: boolean;
}

/** @param failing fails, as the caller knows */
export async function minimize<T>(failing: T, { fails, mayTry, smaller }: Search<T>): Promise<Minimized<T>> {
  const passed = new Set<string>();
  const versions = (of: T, first: number) => fromPlace(smaller(of), first);
  let value = failing;
  let tried = 0;
  let found = false;
  let place = 0;
  let candidates = versions(value, 0);
  for (;;) {
    const next = candidates.next();
    if (next.done === true) {
      if (!found) return { value, tried, isMinimal: true };
      // Of what is left, something may have become superfluous.
      [found, place] = [false, 0];
      candidates = versions(value, 0);
      continue;
    }
    const text = JSON.stringify(next.value);
    if (!passed.has(text)) {
      if (!mayTry(tried)) return { value, tried, isMinimal: false };
      tried++;
      if (await fails(next.value)) {
        value = next.value;
        found = true;
        // In the same place of the smaller value is what would have come next.
        candidates = versions(value, place);
        continue;
      }
      passed.add(text);
    }
    place++;
  }
}

function* fromPlace<T>(all: Iterable<T>, first: number): Generator<T, void> {
  let place = 0;
  for (const one of all) if (place++ >= first) yield one;
}

/** The list without each of its parts: without anything, then without each half, quarter, ..., element. */
export function* withoutParts<T>(list: readonly T[]): Generator<readonly T[]> {
  for (let size = list.length; size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let start = 0; start < list.length; start += size) {
      yield [...list.slice(0, start), ...list.slice(start + size)];
    }
  }
}
