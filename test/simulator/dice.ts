/**
 * Chance as a function of what it decides, and not of what was decided before: whether the third vote of round 7 from 0
 * to 2 is lost depends on the seed and on these numbers only. So a run with one fault taken out of its plan differs
 * from the whole run where that fault mattered, and nowhere else; that is what lets a failing run shrink.
 */

/** @returns a number in [0, 1) (the finalizer of MurmurHash3 over a running sum) */
export function fractionOf(seed: number, ...keys: readonly number[]): number {
  let hash = seed | 0;
  for (const key of keys) {
    hash = Math.imul(hash ^ (key | 0), 0x9e3779b1);
    hash = mixed(hash);
  }
  return (mixed(hash) >>> 0) / 0x1_0000_0000;
}

/** A seed of its own for each part of a simulation. */
export function seedOf(seed: number, ...keys: readonly number[]): number {
  return Math.floor(fractionOf(seed, 0x5eed, ...keys) * 0x1_0000_0000);
}

function mixed(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
