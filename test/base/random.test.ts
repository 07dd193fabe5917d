import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Random } from '../../src/base/random.ts';

/** sfc32 as PractRand writes it, in exact arithmetic: the implementation must not depend on how it rounds. */
function* sfc32(seed: number): Generator<number> {
  const word = (n: bigint): bigint => n & 0xffff_ffffn;
  let [a, b, c, counter] = [word(0x9e3779b9n ^ BigInt(seed)), 0x243f6a88n, 0xb7e15162n, 1n];
  for (;;) {
    const sum = word(a + b + counter);
    counter = word(counter + 1n);
    a = b ^ (b >> 9n);
    b = word(c + word(c << 3n));
    c = word((word(c << 21n) | (c >> 11n)) + sum);
    yield Number(sum);
  }
}

const seeds = fc.integer({ min: 0, max: 0xffff_ffff });

describe('a seeded generator', () => {
  test('is sfc32 after twelve rounds of mixing', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const expected = sfc32(seed);
        for (let i = 0; i < 12; i++) expected.next();
        const random = new Random(seed);
        for (let i = 0; i < 200; i++) expect(random.uint32()).toBe(expected.next().value);
      }),
      { numRuns: 20 },
    );
  });

  test('gives one sequence a seed, and another for another', () => {
    const sequence = (seed: number): string => Buffer.from(new Random(seed).bytes(32)).toString('hex');
    expect(sequence(7)).toBe(sequence(7));
    expect(new Set(Array.from({ length: 500 }, (_, seed) => sequence(seed))).size).toBe(500);
  });

  test('stays inside its bounds and reaches them', () => {
    const random = new Random(1);
    const drawn = Array.from({ length: 1000 }, () => random.below(6));
    expect([...new Set(drawn)].sort()).toEqual([0, 1, 2, 3, 4, 5]);
    const fractions = Array.from({ length: 10_000 }, () => random.fraction());
    expect(Math.min(...fractions)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...fractions)).toBeLessThan(1);
    const mean = fractions.reduce((sum, value) => sum + value, 0) / fractions.length;
    expect(mean).toBeGreaterThan(0.48);
    expect(mean).toBeLessThan(0.52);
  });

  test('never lets happen what has no chance, and always what is certain', () => {
    const random = new Random(2);
    for (let i = 0; i < 100; i++) {
      expect(random.chance(0)).toBe(false);
      expect(random.chance(1)).toBe(true);
    }
  });

  test('shuffles into every order, keeps the items, leaves the list as it was', () => {
    const random = new Random(3);
    const items = [1, 2, 3];
    const orders = new Set(Array.from({ length: 300 }, () => random.shuffled(items).join('')));
    expect(orders.size).toBe(6);
    expect(items).toEqual([1, 2, 3]);
    expect([...random.shuffled(items)].sort()).toEqual(items);
  });

  test('picks what is there, and says so when nothing is', () => {
    const random = new Random(4);
    expect(['a', 'b']).toContain(random.pick(['a', 'b']));
    expect(() => random.pick([])).toThrow(RangeError);
  });
});
