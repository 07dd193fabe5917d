/** Mixed clusters under load whose leader is killed every few seconds for a minute. */
import { describe, expect, test } from 'vitest';
import { needsGo } from '../interop/go-build.ts';
import { survivesKills } from '../interop/killing.ts';
import { goNewcomer, ourNewcomer } from '../interop/newcomer.ts';

const FOR_MS = 60_000;
const LIMIT_MS = 4 * FOR_MS;

describe.runIf(needsGo()).each([ourNewcomer, goNewcomer])(
  '$what in a cluster whose leader is killed again and again',
  (newcomer) => {
    test.each([
      { go: 2, newcomers: 1 },
      { go: 1, newcomers: 2 },
    ])('loses nothing of $newcomers with $go Go servers', { timeout: LIMIT_MS }, async (servers) => {
      const kills = await survivesKills(newcomer, { ...servers, forMs: FOR_MS });
      console.log(`killed as leader: ${[...kills].map(([id, count]) => `${id} ${count}`).join(', ')}`);
      expect(Math.min(...kills.values())).toBeGreaterThan(0);
    });
  },
);
