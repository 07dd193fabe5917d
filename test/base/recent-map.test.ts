import { describe, expect, it } from 'vitest';
import { RecentMap } from '../../src/base/recent-map.ts';

describe('a map of what was used lately', () => {
  it('keeps what it was given, and that there is none', () => {
    const map = new RecentMap<string, object | null>(4);
    const value = {};
    map.set('a', value);
    map.set('b', null);
    expect(map.get('a')).toBe(value);
    expect(map.get('b')).toBeNull();
    expect(map.get('c')).toBeUndefined();
  });

  it('forgets what was not asked for, and never holds more than it may', () => {
    const map = new RecentMap<number, object>(4);
    const value = {};
    map.set(0, value);
    for (let key = 1; key <= 20; key++) {
      map.set(key, { key });
      expect(map.get(0), 'asked for each time').toBe(value);
    }
    // The oldest first: to ask for one that is held keeps it, and lets another go.
    const held = Array.from({ length: 20 }, (_, place) => map.get(place + 1)).filter((kept) => kept !== undefined);
    expect(held.length).toBeGreaterThan(0);
    expect(held.length).toBeLessThanOrEqual(4);
    expect(map.get(1)).toBeUndefined();
  });

  it('gives the newest value of a key, whichever came to be old', () => {
    const map = new RecentMap<string, { readonly n: number }>(2);
    map.set('a', { n: 1 });
    map.set('b', { n: 2 });
    map.set('a', { n: 3 });
    expect(map.get('a')).toEqual({ n: 3 });
  });
});
