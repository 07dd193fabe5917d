import { expect, test } from 'vitest';
import { Waiters } from '../../../src/node/raft/waiters.ts';

test('whoever waits hears when it has come so far, or at the end', async () => {
  const waiters = new Waiters(5);
  const heard: [number, boolean][] = [];
  const all = [5, 9, 6, 7].map((point) => waiters.upTo(point).then((isReached) => heard.push([point, isReached])));
  waiters.reached(7);
  await Promise.all([all[0], all[2], all[3]]);
  expect(heard).toEqual([
    [5, true],
    [6, true],
    [7, true],
  ]);
  waiters.close();
  await all[1];
  expect(heard.at(-1)).toEqual([9, false]);
  expect(await waiters.upTo(100)).toBe(false);
});

test('nobody waits longer than was asked for, and who gave up is not told again', async () => {
  const waiters = new Waiters(0);
  expect(await waiters.upTo(1, 1)).toBe(false);
  waiters.reached(1);
  expect(await waiters.upTo(1, 1)).toBe(true);
});
