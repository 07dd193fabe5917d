/** What shrinks on a copy of the tree in which a rule is broken. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Scenario } from '../simulator/scenario.ts';
import { simulatorIn, withBroken } from '../simulator/self-check/broken-tree.ts';

const digestOf = (said: string) => [...said.matchAll(/trace ([0-9a-f]{64})/g)].at(-1)?.[1];

test('a failing seed shrinks to a scenario that one command plays again, byte for byte', { timeout: 900_000 }, () => {
  const notSo = 'one chain: not so: blocks of consecutive rounds commit';
  withBroken('only consecutive rounds commit', (directory) => {
    const shrunk = simulatorIn(directory, '--seed', '1', '--steps', '300', '--shrink', '--write', 'small.json');
    expect(shrunk.status).toBe(1);
    expect(shrunk.said).toContain('nothing more can be taken out');
    expect(shrunk.said).toContain('npm run sim -- --scenario small.json');
    const { episodes } = JSON.parse(readFileSync(join(directory, 'small.json'), 'utf8')) as Scenario;
    expect(episodes.flatMap(({ actions }) => actions).length).toBeLessThanOrEqual(3);
    const again = simulatorIn(directory, '--scenario', 'small.json');
    expect(again.status).toBe(1);
    expect(again.said).toContain(notSo);
    expect(digestOf(again.said)).toBe(digestOf(shrunk.said));
    expect(digestOf(again.said)).toBeDefined();
  });
});
