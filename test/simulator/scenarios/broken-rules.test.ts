/** Kept scenarios of broken rules still are what they are kept for: each fails once its rule is broken. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { simulatorIn, withBroken } from '../self-check/broken-tree.ts';

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

test.each(KEPT)('$file fails when this does not hold: $rule', { timeout: 120_000 }, ({ file, notSo, rule }) => {
  withBroken(rule, (directory) => {
    const { said, status } = simulatorIn(directory, '--scenario', join('test', 'simulator', 'scenarios', file));
    expect(status).toBe(1);
    expect(said).toContain(`\n${notSo} (`);
  });
});
