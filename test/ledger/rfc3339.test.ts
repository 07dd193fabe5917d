import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatRfc3339, GO_ZERO_TIME, parseRfc3339 } from '../../src/ledger/rfc3339.ts';

describe('a time in RFC 3339', () => {
  it.each([
    ['1970-01-01T00:00:00Z', 0n],
    ['2024-08-26T13:50:12.000000123+02:00', 1_724_673_012_000_000_123n],
    ['2024-03-20T18:00:01.5-07:00', 1_710_982_801_500_000_000n],
    ['2000-02-29T23:59:59Z', 951_868_799_000_000_000n],
    [GO_ZERO_TIME, -62_135_596_800_000_000_000n],
  ])('%s parses', (text, ns) => {
    expect(parseRfc3339(text)).toBe(ns);
  });

  it.each([
    '2023-02-29T00:00:00Z',
    '2100-02-29T00:00:00Z',
    '2024-13-01T00:00:00Z',
    '2024-04-31T00:00:00Z',
    '2024-01-01T24:00:00Z',
    '2024-01-01T00:00:60Z',
    '2024-01-01T00:00:00',
    '2024-01-01 00:00:00Z',
    '2024-01-01T00:00:00.1234567890Z',
    '2024-01-01T00:00:00+24:00',
    'soon',
  ])('%s is none', (text) => {
    expect(parseRfc3339(text)).toBeUndefined();
  });

  it('agrees with Date to the millisecond, and with itself to the nanosecond', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 253_402_300_799_999_999_999n }), (ns) => {
        const text = formatRfc3339(ns);
        expect(parseRfc3339(text)).toBe(ns);
        expect(Math.floor(Date.parse(text) / 1000)).toBe(Number(ns / 1_000_000_000n));
      }),
    );
  });
});
