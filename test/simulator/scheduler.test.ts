import { describe, expect, test } from 'vitest';
import { fromMacrotask, Scheduler, type Owner } from './scheduler.ts';
import { withVirtualGlobals } from './virtual-globals.ts';

describe('a scheduler', () => {
  test('lets things happen in the order of their times, and of their making where these are equal', async () => {
    const seen: string[] = [];
    await fromMacrotask(() => {
      const scheduler = new Scheduler();
      for (const [at, name] of [
        [5, 'c'],
        [1, 'a'],
        [5, 'd'],
        [3, 'b'],
      ] as const) {
        scheduler.after(at, null, () => seen.push(`${name} at ${scheduler.nowMs}`));
      }
      while (scheduler.step(10)) continue;
    });
    expect(seen).toEqual(['a at 1', 'b at 3', 'c at 5', 'd at 5']);
  });

  test('runs all that follows in promises before the next thing happens', async () => {
    const seen: string[] = [];
    await fromMacrotask(() => {
      const scheduler = new Scheduler();
      scheduler.after(1, null, () => {
        void (async () => {
          for (let i = 0; i < 50; i++) await Promise.resolve();
          seen.push('promises');
        })();
      });
      scheduler.after(1, null, () => seen.push('next'));
      while (scheduler.step(10)) continue;
    });
    expect(seen).toEqual(['promises', 'next']);
  });

  test('does nothing any more for an owner that has ended', async () => {
    const seen: string[] = [];
    await fromMacrotask(() => {
      const scheduler = new Scheduler();
      const owner = { ended: false } as { ended: boolean } satisfies Owner;
      scheduler.after(1, owner, () => seen.push('while it lived'));
      scheduler.after(2, null, () => (owner.ended = true));
      scheduler.after(3, owner, () => seen.push('after its end'));
      while (scheduler.step(10)) continue;
    });
    expect(seen).toEqual(['while it lived']);
  });
});

test('who gets no turn has missed nothing when it gets one, and is not overtaken', async () => {
  const happened = await fromMacrotask(() => {
    const scheduler = new Scheduler();
    const happened: string[] = [];
    const owner = { ended: false, pausedUntilMs: 20 };
    scheduler.after(5, owner, () => happened.push('due at 5'));
    scheduler.after(20, owner, () => happened.push('due at 20'));
    scheduler.after(10, owner, () => happened.push('due at 10'));
    scheduler.after(12, null, () => happened.push('of another'));
    scheduler.after(8, owner, () => happened.push('never')).cancel();
    while (scheduler.step(100)) happened.push(`at ${scheduler.nowMs}`);
    return happened;
  });
  expect(happened).toEqual(['of another', 'at 12', 'due at 5', 'at 20', 'due at 10', 'at 20', 'due at 20', 'at 20']);
});

describe('virtual globals', () => {
  test('give timers at the speed of the process that starts them', async () => {
    const fired = await fromMacrotask(() => {
      const scheduler = new Scheduler();
      let firedAtMs = 0;
      withVirtualGlobals(scheduler, () => {
        const slow = { ended: false, realMsPerMs: 2 };
        scheduler.run(slow, () => void setTimeout(() => (firedAtMs = scheduler.nowMs), 100));
        while (scheduler.step(1_000)) continue;
      });
      return firedAtMs;
    });
    expect(fired).toBe(200);
  });

  test('answer no question about the time or chance of the machine, and are gone afterwards', () => {
    const { setTimeout: before } = globalThis;
    withVirtualGlobals(new Scheduler(), () => {
      expect(() => Date.now()).toThrow(/no function of the seed/);
      expect(() => Math.random()).toThrow(/no function of the seed/);
      expect(() => performance.now()).toThrow(/no function of the seed/);
    });
    expect(globalThis.setTimeout).toBe(before);
    expect(Date.now()).toBeGreaterThan(0);
  });
});
