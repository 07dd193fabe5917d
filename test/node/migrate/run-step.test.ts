import { expect, test, describe } from 'vitest';
import { refuse, unwrap } from '../../../src/base/result.ts';
import { judgeLayout, readLayout, type LayoutState } from '../../../src/ledger/layout-history.ts';
import { LAYOUT_VERSION } from '../../../src/ledger/layout.ts';
import { runStep, type Direction } from '../../../src/node/migrate/run-step.ts';
import type { Store, StoreOperation } from '../../../src/store/store.ts';
import type { MigrationStep } from '../../../migrations/step.ts';
import { MemoryDisk, MemoryStore } from '../../store/memory-store.ts';
import { entriesOf } from './directories.ts';
import { TOY_LAYOUT, toyOps, toyStep, valuesOf, withToy } from './toy-step.ts';

class ProcessEnded extends Error {}

/** The process ends at the n-th batch, before it is written or after. */
function endingAt(disk: MemoryDisk, batch: number, when: 'before' | 'after'): Store {
  const store = new MemoryStore(disk);
  let batches = 0;
  return {
    get: (key) => store.get(key),
    entries: (range) => store.entries(range),
    close: () => store.close(),
    async batch(operations: readonly StoreOperation[]) {
      const isLast = batches++ === batch;
      if (isLast && when === 'before') throw new ProcessEnded();
      await store.batch(operations);
      if (isLast) throw new ProcessEnded();
    },
  };
}

async function toyDisk(): Promise<MemoryDisk> {
  const disk = new MemoryDisk();
  await new MemoryStore(disk).batch(toyOps());
  return disk;
}

const run = (store: Store, direction: Direction, step: MigrationStep = toyStep()) =>
  runStep(store, step, direction, { known: withToy(step).history, onProgress: () => undefined });
const layoutOf = (disk: MemoryDisk) => unwrap(readLayout(new MemoryStore(disk), withToy().history)) as LayoutState;
const refusalOf = (disk: MemoryDisk): string | null => {
  const judged = judgeLayout(layoutOf(disk), withToy().history);
  return judged.ok ? null : judged.refusal.code;
};

describe('a step', () => {
  test('is made in batches, told as it goes, recorded, and undone to the same bytes', async () => {
    const disk = await toyDisk();
    const store = new MemoryStore(disk);
    const before = await entriesOf(store);
    const told: string[] = [];
    const report = await runStep(store, toyStep(), 'up', {
      known: withToy().history,
      onProgress: ({ records, total }) => told.push(`${records} of ${total}`),
    });
    expect(report).toMatchObject({ from: LAYOUT_VERSION, to: TOY_LAYOUT, records: 23, batches: 6, resumed: false });
    expect(told).toEqual(['0 of 23', '4 of 23', '8 of 23', '12 of 23', '16 of 23', '20 of 23', '23 of 23']);
    expect(layoutOf(disk)).toEqual({
      version: TOY_LAYOUT,
      steps: withToy().history.map(({ checksum, id }) => ({ id, checksum })),
      underWay: null,
    });
    await run(store, 'down');
    expect(await entriesOf(store)).toEqual(before);
  });

  test.each(['up', 'down'] as const)(
    'that goes %s ends at the same bytes, wherever the process ended, and is no ledger meanwhile',
    async (direction) => {
      const begin = async () => {
        const disk = await toyDisk();
        if (direction === 'down') await run(new MemoryStore(disk), 'up');
        return disk;
      };
      const uninterrupted = await begin();
      await run(new MemoryStore(uninterrupted), direction);
      const right = await entriesOf(new MemoryStore(uninterrupted));
      let ends = 0;
      for (const when of ['before', 'after'] as const) {
        for (let batch = 0; ; batch++) {
          const disk = await begin();
          const ended = await run(endingAt(disk, batch, when), direction).then(
            () => false,
            (error: unknown) => error instanceof ProcessEnded,
          );
          if (!ended) break;
          ends++;
          const isWhole = (when === 'before' && batch === 0) || (when === 'after' && batch === 7);
          const whole = (direction === 'up') === (batch === 0) ? 'layout-older' : null;
          expect(refusalOf(disk)).toBe(isWhole ? whole : 'migration-under-way');
          // A program of the lesser layout knows no mark, and must see a number that it refuses.
          if (!isWhole) expect(layoutOf(disk).version).toBe(TOY_LAYOUT);
          if (when === 'before' || batch < 7) await run(new MemoryStore(disk), direction);
          expect(await entriesOf(new MemoryStore(disk))).toEqual(right);
        }
      }
      expect(ends).toBe(16);
    },
  );

  test('that ends again and again is done in the end', async () => {
    const disk = await toyDisk();
    let lives = 0;
    while (refusalOf(disk) !== null) {
      lives++;
      await run(endingAt(disk, 1, 'before'), 'up').catch((error: unknown) => {
        if (!(error instanceof ProcessEnded)) throw error;
      });
      // One batch a life at least.
      expect(lives).toBeLessThan(10);
    }
    expect(await valuesOf(new MemoryStore(disk))).toEqual(Array.from({ length: 23 }, (_, index) => `value ${index}!`));
  });

  test('writes nothing where it is not admitted, by itself or for want of room', async () => {
    const disk = await toyDisk();
    const before = await entriesOf(new MemoryStore(disk));
    const { up } = toyStep();
    const unfit = toyStep({ up: { ...up, admit: async () => refuse('store-corrupt', 'something is missing') } });
    await expect(run(new MemoryStore(disk), 'up', unfit)).rejects.toMatchObject({ code: 'store-corrupt' });
    const admitted = async (bytes: number) => {
      throw new Error(`no room for ${bytes}`);
    };
    await expect(
      runStep(new MemoryStore(disk), toyStep(), 'up', {
        known: withToy().history,
        admitted,
        onProgress: () => undefined,
      }),
    ).rejects.toThrow('no room for 1000');
    expect(await entriesOf(new MemoryStore(disk))).toEqual(before);
  });

  test('whose check fails stays under way, and is checked again', async () => {
    const disk = await toyDisk();
    const { up } = toyStep();
    const failing = toyStep({ up: { ...up, check: async () => refuse('migration-check-failed', 'no') } });
    await expect(run(new MemoryStore(disk), 'up', failing)).rejects.toMatchObject({ code: 'migration-check-failed' });
    expect(refusalOf(disk)).toBe('migration-under-way');
    expect(await run(new MemoryStore(disk), 'up')).toMatchObject({ batches: 0, resumed: true });
    expect(refusalOf(disk)).toBeNull();
  });

  test('that cannot be undone is not', async () => {
    const disk = await toyDisk();
    const forever = toyStep({ down: null });
    await run(new MemoryStore(disk), 'up', forever);
    await expect(run(new MemoryStore(disk), 'down', forever)).rejects.toMatchObject({ code: 'migration-irreversible' });
    expect(refusalOf(disk)).toBeNull();
  });
});
