import { describe, expect, test } from 'vitest';
import { checkLaws } from './laws.ts';
import { fuzzDecoder } from './run.ts';
import { decoders } from './table.ts';

const isLong = process.env['LONG'] === '1';
const seed = Number(process.env['SEED'] ?? 1);
/** The short run is the same every time; the long one is another each day. */
const batches = isLong ? [seed, Math.floor(Date.now() / 86_400_000)] : [seed];
const runs = isLong ? 4_000 : 200;

describe.each(decoders)('the decoder of $name', (decoder) => {
  test('accepts what is valid', () => {
    const samples = decoder.samples();
    expect(samples.length).toBeGreaterThan(0);
    const known = new Map<string, string>();
    expect(samples.map((bytes) => checkLaws(decoder, bytes, known))).toEqual(samples.map(() => 'accepted'));
  });

  test('holds to its laws whatever it is given', () => {
    for (const each of batches) {
      const { accepted, refused } = fuzzDecoder(decoder, { seed: each, runs });
      // A run that only ever refuses, or never does, tests half of it.
      expect(Math.min(accepted, refused)).toBeGreaterThan(runs / 50);
    }
  });
});
