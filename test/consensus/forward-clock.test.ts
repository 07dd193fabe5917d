import { expect, it } from 'vitest';
import { ForwardClock } from '../../src/consensus/forward-clock.ts';

it('adds up what the clock went forward and leaves out what it was set back', () => {
  const clock = new ForwardClock();
  clock.observe(1_000_000);
  expect(clock.elapsedMs).toBe(0);
  clock.observe(1_000_500);
  clock.observe(400);
  expect(clock.elapsedMs).toBe(500);
  clock.observe(450);
  expect(clock.elapsedMs).toBe(550);
  expect(clock.wallMs).toBe(450);
  expect(clock.wallOf(650)).toBe(550);
});
