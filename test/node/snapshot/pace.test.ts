import { expect, test } from 'vitest';
import { FULL_SPEED, SteppingAside } from '../../../src/node/snapshot/pace.ts';

const waitMs = (ms: number): void => {
  const untilMs = performance.now() + ms;
  while (performance.now() < untilMs);
};

test('who steps aside rests as long as it worked, and not at all after a moment', () => {
  const pace = new SteppingAside();
  waitMs(10);
  const startedMs = performance.now();
  pace.rest();
  const restedMs = performance.now() - startedMs;
  expect(restedMs).toBeGreaterThanOrEqual(9);
  // Nothing was done since.
  const rests: number[] = [];
  for (let i = 0; i < 20; i++) {
    const beganMs = performance.now();
    pace.rest();
    rests.push(performance.now() - beganMs);
  }
  expect(rests.toSorted((a, b) => a - b)[10]).toBeLessThan(4);
});

test('where nobody else is at work there is no rest, and files are synced once', () => {
  expect(FULL_SPEED.pieceBytes).toBeNull();
  const startedMs = performance.now();
  for (let i = 0; i < 100; i++) FULL_SPEED.rest();
  expect(performance.now() - startedMs).toBeLessThan(1000);
});
