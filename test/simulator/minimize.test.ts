import { describe, expect, test } from 'vitest';
import fc from 'fast-check';
import { minimize, withoutParts } from './minimize.ts';

const always = () => true;

/** Fails when it has all of these. */
const has =
  (...needed: readonly number[]) =>
  (list: readonly number[]) =>
    needed.every((one) => list.includes(one));

const upTo = (count: number): readonly number[] => Array.from({ length: count }, (_, place) => place);

describe('minimize', () => {
  test('finds the few of many that are needed together', async () => {
    const fails = has(3, 50, 97);
    const found = await minimize(upTo(100), { smaller: withoutParts, fails, mayTry: always });
    expect(found).toMatchObject({ value: [3, 50, 97], isMinimal: true });
    expect(found.tried).toBeLessThan(100);
  });

  test('whatever is needed, it is what is left', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(fc.nat({ max: 39 }), { maxLength: 6 }), async (needed) => {
        const search = { smaller: withoutParts<number>, fails: has(...needed), mayTry: always };
        expect((await minimize(upTo(40), search)).value).toEqual(needed.toSorted((a, b) => a - b));
      }),
    );
  });

  test('of several reasons to fail one is left, from which nothing can be taken', async () => {
    const fails = (list: readonly number[]) => has(1, 2)(list) || has(7)(list) || list.length > 8;
    const { value } = await minimize(upTo(10), { smaller: withoutParts, fails, mayTry: always });
    for (const version of withoutParts(value)) expect(fails(version)).toBe(false);
  });

  test('what becomes superfluous by a later step goes as well', async () => {
    // Each needs the next one, so that they can only go from the front.
    const fails = (list: readonly number[]) => list.every((one) => one === 9 || list.includes(one + 1)) && has(9)(list);
    expect((await minimize(upTo(10), { smaller: withoutParts, fails, mayTry: always })).value).toEqual([9]);
  });

  test('what does not fail is tried once', async () => {
    const tried: string[] = [];
    const fails = (list: readonly number[]) => {
      tried.push(JSON.stringify(list));
      return has(2, 9, 13)(list);
    };
    await minimize(upTo(16), { smaller: withoutParts, fails, mayTry: always });
    expect(new Set(tried).size).toBe(tried.length);
  });

  test('ends at its bound with the smallest so far, and says so', async () => {
    let calls = 0;
    const fails = (list: readonly number[]) => {
      calls++;
      return has(0, 63)(list);
    };
    const found = await minimize(upTo(64), { smaller: withoutParts, fails, mayTry: (tried) => tried < 7 });
    expect(found).toMatchObject({ tried: 7, isMinimal: false });
    expect(calls).toBe(7);
    expect(has(0, 63)(found.value)).toBe(true);
    expect(found.value.length).toBeLessThan(64);
  });

  test('tries the same in the same order every time', async () => {
    const order = async () => {
      const tried: (readonly number[])[] = [];
      const fails = (list: readonly number[]) => {
        tried.push(list);
        return has(5, 6, 30)(list);
      };
      await minimize(upTo(32), { smaller: withoutParts, fails, mayTry: (count) => count < 40 });
      return tried;
    };
    expect(await order()).toEqual(await order());
  });
});

test('the parts of a list are all of it, its halves, quarters, and each element', () => {
  expect([...withoutParts([1, 2, 3, 4])]).toEqual([[], [3, 4], [1, 2], [2, 3, 4], [1, 3, 4], [1, 2, 4], [1, 2, 3]]);
  expect([...withoutParts([])]).toEqual([]);
});
