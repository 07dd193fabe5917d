import { expect, test } from 'vitest';
import { refuse } from '../../src/base/result.ts';
import { PrunedWatch } from '../../src/node/pruned-watch.ts';

const pruned = (oldest: number) => refuse('blocks-pruned', 'not held', { fromHeight: 5, oldest }).refusal;

function watch(enough: number) {
  const told: number[] = [];
  return { told, watch: new PrunedWatch({ enough, onPruned: (oldest) => told.push(oldest) }) };
}

test('that blocks are pruned is believed of f + 1 servers, told once, and taken back by a block that comes', () => {
  const { told, watch: two } = watch(2);
  two.refused(0, pruned(100));
  two.refused(0, pruned(100));
  expect([two.oldest, told]).toEqual([null, []]);
  two.refused(3, pruned(80));
  two.refused(2, pruned(90));
  expect([two.oldest, told]).toEqual([80, [80]]);
  two.progressed();
  expect(two.oldest).toBeNull();
});

test('what else a server refuses says nothing of that', () => {
  const { told, watch: one } = watch(1);
  one.refused(0, refuse('fetch-unserved', 'nobody has it').refusal);
  expect([one.oldest, told]).toEqual([null, []]);
  one.refused(0, refuse('blocks-pruned', 'without its number').refusal);
  expect(one.oldest).toBe(0);
});
