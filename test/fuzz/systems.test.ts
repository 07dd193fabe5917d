import { describe, expect, test } from 'vitest';
import { systems } from './targets.ts';

const isLong = process.env['LONG'] === '1';
const seed = Number(process.env['SEED'] ?? 1);
const batches = isLong ? [seed, Math.floor(Date.now() / 86_400_000)] : [seed];

describe.each(systems)('$name under mutation', (target) => {
  test('breaks nothing: what is accepted is true, what is not is refused by a code', async () => {
    const runs = target.runsPerBatch * (isLong ? 10 : 0.5);
    for (const each of batches) {
      const { accepted, refused } = await target.run({ seed: each, runs });
      expect(Math.min(accepted, refused)).toBeGreaterThan(0);
    }
  });
});
