import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { equalBytes } from '../../src/base/bytes.ts';
import { RecentValues } from '../../src/base/recent-values.ts';

const LARGEST = 0xff_ff;

function filled(length: number, byte: number): Uint8Array {
  return new Uint8Array(length).fill(byte);
}

describe('values that were used lately', () => {
  it('keeps what it was given, and that there is none', () => {
    const values = new RecentValues(4);
    values.set('a', filled(3, 7));
    values.set('b', null);
    expect(values.get('a')).toEqual(filled(3, 7));
    expect(values.get('b')).toBeNull();
    expect(values.get('c')).toBeUndefined();
  });

  it('replaces what is known, be it in which half it will, and learns nothing else by it', () => {
    const values = new RecentValues(4);
    // The first two are in the older half then.
    for (const key of ['a', 'b', 'c']) values.set(key, filled(1, 1));
    values.replace('c', null);
    values.replace('a', filled(2, 2));
    values.replace('d', filled(2, 2));
    expect(values.get('a')).toEqual(filled(2, 2));
    expect(values.get('c')).toBeNull();
    expect(values.get('d')).toBeUndefined();
    expect(values.get('b')).toEqual(filled(1, 1));
  });

  it('shares no memory with those who gave a value or were given it', () => {
    const values = new RecentValues(4);
    const given = filled(40, 1);
    values.set('a', given);
    const first = values.get('a');
    given.fill(2);
    expect(values.get('a')).toEqual(filled(40, 1));
    values.set('a', filled(40, 3));
    expect(first, 'as it was when it was asked for').toEqual(filled(40, 1));
    first?.fill(4);
    expect(values.get('a')).toEqual(filled(40, 3));
  });

  it('forgets what was not asked for, and never holds more than it may', () => {
    const values = new RecentValues(4);
    values.set('0', filled(1, 0));
    for (let key = 1; key <= 20; key++) {
      values.set(String(key), filled(1, key));
      expect(values.get('0'), 'asked for each time').toEqual(filled(1, 0));
    }
    // The oldest first: to ask for one that is held keeps it, and lets another go.
    const held = Array.from({ length: 20 }, (_, place) => values.get(String(place + 1))).filter(
      (kept) => kept !== undefined,
    );
    expect(held.length).toBeGreaterThan(0);
    expect(held.length).toBeLessThanOrEqual(4);
    expect(values.get('1')).toBeUndefined();
  });

  it('keeps fewer of long values, counting the memory of those that were replaced by longer ones', () => {
    // Each half has 1,000 x 256 bytes.
    const values = new RecentValues(2000);
    for (let key = 0; key < 100; key++) values.set(String(key), filled(10_000, key));
    const held = Array.from({ length: 100 }, (_, key) => key).filter((key) => values.get(String(key)) !== undefined);
    expect(held.length).toBeLessThan(60);
    const grown = new RecentValues(2000);
    grown.set('old', filled(1, 1));
    for (let length = 1; length <= 8000; length++) grown.set('grows', filled(length, 2));
    expect(grown.get('grows')).toEqual(filled(8000, 2));
    expect(grown.get('old')).toBeUndefined();
  });

  it('keeps no value above 64 KiB, nor an older one of its key', () => {
    const values = new RecentValues(1_000_000);
    values.set('a', filled(LARGEST, 1));
    expect(values.get('a')).toEqual(filled(LARGEST, 1));
    values.set('a', filled(LARGEST + 1, 2));
    expect(values.get('a')).toBeUndefined();
    const turned = new RecentValues(4);
    turned.set('a', filled(1, 1));
    // 'a' is of the older half now.
    for (const key of ['b', 'c']) turned.set(key, null);
    turned.set('a', filled(LARGEST + 1, 2));
    expect(turned.get('a')).toBeUndefined();
  });

  it('gives the newest value of a key, or does not know it', () => {
    const step = fc.record({
      key: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g'),
      length: fc.oneof(fc.constantFrom(null, 0, 1, 29, 30, 31, 62, 63, 64), fc.integer({ min: 0, max: LARGEST + 2 })),
    });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5000 }), fc.array(step, { maxLength: 120 }), (max, steps) => {
        const values = new RecentValues(max);
        const newest = new Map<string, Uint8Array | null>();
        for (const [place, { key, length }] of steps.entries()) {
          const value = length === null ? null : filled(length, place);
          values.set(key, value);
          newest.set(key, value);
          expect(values.get(key) === undefined, 'what was set last is known').toBe(length !== null && length > LARGEST);
          for (const [known, expected] of newest) {
            const found = values.get(known);
            expect(found === undefined || isSame(found, expected)).toBe(true);
          }
        }
      }),
      { numRuns: 200 },
    );
  });
});

function isSame(a: Uint8Array | null, b: Uint8Array | null): boolean {
  return a === null || b === null ? a === b : equalBytes(a, b);
}
