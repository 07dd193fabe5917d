import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { UnderWay } from '../../src/node/under-way.ts';

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

test('so many are let in at once, and one more for each that ends, however often it says so', () => {
  const underWay = new UnderWay(2, 1000);
  const first = underWay.enter();
  underWay.enter();
  expect(underWay.enter()).toBeUndefined();
  first?.();
  first?.();
  expect(underWay.count).toBe(1);
  expect(underWay.enter()).toBeDefined();
  expect(underWay.enter()).toBeUndefined();
});

test('one that hangs holds no other up for longer than its time, and counts once when it ends after all', () => {
  const underWay = new UnderWay(1, 1000);
  const hanging = underWay.enter();
  vi.advanceTimersByTime(999);
  expect(underWay.enter()).toBeUndefined();
  vi.advanceTimersByTime(1);
  expect(underWay.enter()).toBeDefined();
  hanging?.();
  expect(underWay.count).toBe(1);
});
