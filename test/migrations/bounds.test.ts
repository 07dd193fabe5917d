import { expect, test } from 'vitest';
import { step } from '../../migrations/0003-checked-records.ts';
import { MAX_BATCH_BYTES, MAX_BATCH_RECORDS } from '../../migrations/step.ts';
import type { StoreOperation } from '../../src/store/store.ts';
import { makeLayoutTwo } from '../node/migrate/made-directory.ts';
import { MemoryStore } from '../store/memory-store.ts';

test.each(['up', 'down'] as const)('a walk %s reads no further than the batch that it hands out', async (direction) => {
  const store = new MemoryStore();
  await makeLayoutTwo(store, 2_200);
  const walk = direction === 'up' ? step.up : step.down;
  if (direction === 'down') for await (const { operations } of step.up.run(store, null)) await store.batch(operations);
  if (walk === null) throw new TypeError('the step can be undone');
  let read = 0;
  const counting = {
    get: (key: Uint8Array) => store.get(key),
    async *entries(range: Parameters<MemoryStore['entries']>[0]) {
      for await (const entry of store.entries(range)) {
        read++;
        yield entry;
      }
    },
  };
  let records = 0;
  let batches = 0;
  for await (const batch of walk.run(counting, null)) {
    expect(read).toBeLessThanOrEqual(MAX_BATCH_RECORDS);
    expect(batch.records).toBeLessThanOrEqual(MAX_BATCH_RECORDS);
    expect(batch.operations.length).toBeLessThanOrEqual(MAX_BATCH_RECORDS + 3);
    expect(sizeOf(batch.operations)).toBeLessThan(2 * MAX_BATCH_BYTES);
    await store.batch(batch.operations);
    read = 0;
    records += batch.records;
    batches++;
  }
  const admitted = await step.up.admit(store);
  expect(records).toBeGreaterThan(2_500);
  expect(batches).toBeGreaterThanOrEqual(4);
  expect(admitted.ok || admitted.refusal.code).toBe(direction === 'down' ? true : 'store-corrupt');
});

function sizeOf(operations: readonly StoreOperation[]): number {
  return operations.reduce((sum, each) => sum + (each.kind === 'put' ? each.value.length : 0), 0);
}
