import { describe, expect, it } from 'vitest';
import { ConcurrencyLimits, RateLimits } from '../../src/net/limits.ts';

describe('limits', () => {
  it('refuse a peer beyond its rate with when to retry, and not the others', async () => {
    const limits = new RateLimits({ perPeerPerSecond: 10, inAllPerSecond: 1000 });
    expect((await limits.spend('a', 10)).ok).toBe(true);
    const refused = await limits.spend('a', 1);
    expect(refused).toMatchObject({ refusal: { code: 'busy', details: { limit: 'peer' } } });
    const retryAfterMs = refused.ok ? 0 : (refused.refusal.details['retryAfterMs'] as number);
    expect(retryAfterMs).toBeGreaterThan(0);
    expect(retryAfterMs).toBeLessThanOrEqual(1000);
    expect((await limits.spend('b', 10)).ok).toBe(true);
  });

  it('refuse all beyond what they may use together', async () => {
    const limits = new RateLimits({ perPeerPerSecond: 10, inAllPerSecond: 15 });
    expect((await limits.spend('a', 10)).ok).toBe(true);
    expect(await limits.spend('b', 10)).toMatchObject({ refusal: { code: 'busy', details: { limit: 'all' } } });
  });

  it('let a peer over its own limit take nothing from the others', async () => {
    const limits = new RateLimits({ perPeerPerSecond: 5, inAllPerSecond: 10 });
    for (let i = 0; i < 20; i++) await limits.spend('greedy', 5);
    expect((await limits.spend('b', 5)).ok).toBe(true);
  });

  it('count what is open at once, for each peer and in all', () => {
    const limits = new ConcurrencyLimits(2, 3);
    expect(['a', 'a', 'a', 'b', 'c'].map((peer) => limits.enter(peer).ok)).toEqual([true, true, false, true, false]);
    expect(limits.enter('a')).toMatchObject({ refusal: { code: 'too-many-streams' } });
    limits.leave('a');
    expect(limits.enter('c').ok).toBe(true);
    limits.leave('a');
    limits.leave('b');
    expect(['a', 'a', 'b'].map((peer) => limits.enter(peer).ok)).toEqual([true, true, false]);
  });
});
