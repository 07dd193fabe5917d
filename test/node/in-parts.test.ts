import { describe, expect, test } from 'vitest';
import { allInParts } from '../../src/node/in-parts.ts';

describe('work in parts', () => {
  test('comes to all results, in order', async () => {
    const items = Array.from({ length: 25 }, (_, i) => i);
    expect(await allInParts(items, 10, (i) => Promise.resolve(i * i))).toEqual(items.map((i) => i * i));
    expect(await allInParts([], 10, () => Promise.reject(new Error('never')))).toEqual([]);
  });

  test('lets input and output be served between two parts', async () => {
    const seen: (number | 'io')[] = [];
    const others = Array.from({ length: 4 }, () => () => seen.push('io'));
    const serve = (): void => {
      others.shift()?.();
      if (others.length > 0) setImmediate(serve);
    };
    setImmediate(serve);
    await allInParts([1, 2, 3, 4, 5], 2, (i) => {
      seen.push(i);
      return Promise.resolve();
    });
    expect(seen.slice(0, 2)).toEqual([1, 2]);
    for (const [before, after] of [
      [2, 3],
      [4, 5],
    ] as const) {
      expect(seen.slice(seen.indexOf(before), seen.indexOf(after))).toContain('io');
    }
  });

  test('begins the first part at once, and does not wait for its end before the next begins', async () => {
    const first = Promise.withResolvers<string>();
    const begun: number[] = [];
    const all = allInParts([0, 1], 1, (i) => {
      begun.push(i);
      return i === 0 ? first.promise : Promise.resolve('second');
    });
    expect(begun).toEqual([0]);
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    expect(begun).toEqual([0, 1]);
    first.resolve('first');
    expect(await all).toEqual(['first', 'second']);
  });

  test('fails at once as the first that fails', async () => {
    const failing = allInParts([1, 2, 3], 1, (i) => (i === 1 ? Promise.reject(new Error('no')) : Promise.resolve(i)));
    await expect(failing).rejects.toThrow('no');
  });
});
