/** What shrinks on a copy of the tree in which a rule is broken, and what was kept of such shrinking. */
import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { brokenRules } from '../simulator/self-check/broken-rules.ts';
import type { Scenario } from '../simulator/scenario.ts';
import { copyOfTree, replaceText } from '../traps/tree-copy.ts';

function withBroken(rule: string, work: (directory: string) => void): void {
  const broken = brokenRules.find((one) => one.rule === rule);
  if (broken === undefined) throw new Error(`no rule is called ${rule}`);
  const directory = copyOfTree();
  try {
    replaceText(directory, broken);
    work(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function sim(directory: string, ...args: readonly string[]) {
  const { status, stderr, stdout } = spawnSync(process.execPath, ['test/simulator/main.ts', ...args], {
    cwd: directory,
    encoding: 'utf8',
  });
  return { status, said: stdout + stderr };
}

const digestOf = (said: string) => [...said.matchAll(/trace ([0-9a-f]{64})/g)].at(-1)?.[1];

test('a failing seed shrinks to a scenario that one command plays again, byte for byte', { timeout: 900_000 }, () => {
  const notSo = 'one chain: not so: blocks of consecutive rounds commit';
  withBroken('only consecutive rounds commit', (directory) => {
    const shrunk = sim(directory, '--seed', '1', '--steps', '300', '--shrink', '--write', 'small.json');
    expect(shrunk.status).toBe(1);
    expect(shrunk.said).toContain('nothing more can be taken out');
    expect(shrunk.said).toContain('npm run sim -- --scenario small.json');
    const { episodes } = JSON.parse(readFileSync(join(directory, 'small.json'), 'utf8')) as Scenario;
    expect(episodes.flatMap(({ actions }) => actions).length).toBeLessThanOrEqual(3);
    const again = sim(directory, '--scenario', 'small.json');
    expect(again.status).toBe(1);
    expect(again.said).toContain(notSo);
    expect(digestOf(again.said)).toBe(digestOf(shrunk.said));
    expect(digestOf(again.said)).toBeDefined();
  });
});

/** Kept scenarios, and what each fails by when its rule is broken. */
const KEPT = [
  {
    file: 'only-consecutive-rounds-commit.json',
    rule: 'only consecutive rounds commit',
    notSo: 'one chain: not so: blocks of consecutive rounds commit',
  },
  {
    file: 'a-restart-begins-where-the-record-ends.json',
    rule: 'a restart begins where the record ends',
    notSo: 'liveness: not so: a healed network makes progress',
  },
  {
    file: 'an-approval-that-came-too-late-is-refused.json',
    rule: 'what others made void leaves the mempool',
    notSo: 'liveness: not so: a network that is left alone comes to rest',
  },
] as const;

test.each(KEPT)('$file fails when this does not hold: $rule', { timeout: 600_000 }, ({ file, notSo, rule }) => {
  withBroken(rule, (directory) => {
    const { said, status } = sim(directory, '--scenario', join('test', 'simulator', 'scenarios', file));
    expect(status).toBe(1);
    expect(said).toContain(`\n${notSo} (`);
  });
});
