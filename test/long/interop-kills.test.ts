/** Mixed clusters under load whose leader is killed every few seconds for a minute; and ours, killed at its turns. */
import { describe, expect, test } from 'vitest';
import { needsGo } from '../interop/go-build.ts';
import { survivesKills } from '../interop/killing.ts';
import { ourNewcomer } from '../interop/newcomer.ts';
import { isKilledAtTurns, isKilledWithSnapshotsUnderWay } from '../interop/stages.ts';

const FOR_MS = 60_000;
const LIMIT_MS = 4 * FOR_MS;

describe.runIf(needsGo())('a cluster whose leader is killed again and again', () => {
  test.each([
    { machine: 'rec', go: 2, ours: 1 },
    { machine: 'rec', go: 1, ours: 2 },
    { machine: 'kv', go: 2, ours: 1 },
  ] as const)('loses nothing: $go Go servers and $ours of ours, $machine', { timeout: LIMIT_MS }, async (servers) => {
    const { go, machine, ours } = servers;
    const kills = await survivesKills(ourNewcomer, { machine, go, newcomers: ours, forMs: FOR_MS });
    console.log(`killed as leader: ${[...kills].map(([id, count]) => `${id} ${count}`).join(', ')}`);
    expect(Math.min(...kills.values())).toBeGreaterThan(0);
  });
});

describe.runIf(needsGo())('a server of ours that is killed', () => {
  test('while it takes a snapshot from Go, and while it sends one, goes on', isKilledWithSnapshotsUnderWay);
  test('after a vote, elected, after it handed back and once removed, goes on or stays quiet', isKilledAtTurns);
});
