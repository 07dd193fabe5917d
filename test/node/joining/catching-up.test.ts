import { expect, onTestFinished, test, vi } from 'vitest';
import { CatchingUp } from '../../../src/node/joining/catching-up.ts';

function way(head: number, height: number) {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const seen = { over: 0 };
  return { seen, catchingUp: new CatchingUp(head, height, () => seen.over++, 1_000) };
}

test('a node catches up until it is where the network was, and is told once', () => {
  const { catchingUp, seen } = way(100, 40);
  catchingUp.reached(99);
  expect([catchingUp.isUnderWay, seen.over]).toEqual([true, 0]);
  catchingUp.reached(103);
  catchingUp.reached(104);
  vi.advanceTimersByTime(5_000);
  expect([catchingUp.isUnderWay, seen.over]).toEqual([false, 1]);
});

test('a head that was only claimed holds nothing up for ever', () => {
  const { catchingUp, seen } = way(1_000_000, 40);
  vi.advanceTimersByTime(1_000);
  expect([catchingUp.isUnderWay, seen.over]).toEqual([false, 1]);
});

test('a node at the head has nothing to catch up with, and one that stops hears of nothing', () => {
  expect(way(40, 40).catchingUp.isUnderWay).toBe(false);
  const { catchingUp, seen } = way(100, 40);
  catchingUp.stop();
  vi.advanceTimersByTime(5_000);
  expect([catchingUp.isUnderWay, seen.over]).toEqual([false, 0]);
});
