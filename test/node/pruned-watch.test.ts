import { expect, test } from 'vitest';
import { refuse } from '../../src/base/result.ts';
import { PrunedWatch } from '../../src/node/pruned-watch.ts';

const pruned = refuse('blocks-pruned', 'not held', { fromHeight: 5, oldest: 100 }).refusal;

function watch(enough: number) {
  const seen = { told: 0 };
  return { seen, watch: new PrunedWatch({ enough, onPruned: () => seen.told++ }) };
}

test('that blocks are pruned is believed of f + 1 servers, told once, and taken back by a block that comes', () => {
  const { seen, watch: two } = watch(2);
  two.refused(0, pruned);
  two.refused(0, pruned);
  expect([two.isPruned, seen.told]).toEqual([false, 0]);
  two.refused(3, pruned);
  two.refused(2, pruned);
  expect([two.isPruned, seen.told]).toEqual([true, 1]);
  two.progressed();
  expect(two.isPruned).toBe(false);
});

test('what else a server refuses says nothing of that', () => {
  const { seen, watch: one } = watch(1);
  one.refused(0, refuse('fetch-unserved', 'nobody has it').refusal);
  expect([one.isPruned, seen.told]).toEqual([false, 0]);
});
