import { describe, expect, test } from 'vitest';
import { utf8 } from '../../src/base/bytes.ts';
import { sha256Hex } from '../../src/base/hash.ts';
import { unwrap } from '../../src/base/result.ts';
import {
  judgeLayout,
  layoutOp,
  newLayoutOps,
  readLayout,
  stepsOp,
  underWayOp,
  type LayoutState,
  type LayoutStep,
  type UnderWay,
} from '../../src/ledger/layout-history.ts';
import { LAYOUT_KEY, MIGRATION_KEY, MIGRATIONS_KEY } from '../../src/ledger/layout.ts';
import { everyFlip } from '../flipped.ts';
import { MemoryStore } from '../store/memory-store.ts';

const step = (id: string, from: number): LayoutStep => ({ id, from, to: from + 1, checksum: sha256Hex(utf8(id)) });
const known = [step('0002-a', 1), step('0003-b', 2)];
const [first, second] = known as [LayoutStep, LayoutStep];
const edited = { ...first, checksum: sha256Hex(utf8('another')) };
const underWay: UnderWay = { ...second, direction: 'up', cursor: null, records: 7, total: 9 };

describe('a layout', () => {
  test.each<[what: string, layout: LayoutState, expected: string | null]>([
    ['of the present program', { version: 3, steps: known, underWay: null }, null],
    ['of a newer program', { version: 4, steps: [], underWay: null }, 'layout-newer'],
    ['of a program before there were migrations', { version: 1, steps: [], underWay: null }, 'layout-older'],
    ['of a program of some steps', { version: 2, steps: [first], underWay: null }, 'layout-older'],
    ['in the middle of a step', { version: 3, steps: [first], underWay }, 'migration-under-way'],
    ['whose step was another one', { version: 3, steps: [edited, second], underWay: null }, 'migration-edited'],
    ['whose step nobody knows', { version: 3, steps: [first, step('0003-c', 2)], underWay: null }, 'migration-missing'],
    ['with more steps than there are', { version: 3, steps: [...known, first], underWay: null }, 'migration-missing'],
    ['whose steps are in another order', { version: 3, steps: [second, first], underWay: null }, 'migration-missing'],
    ['that no step led to', { version: 3, steps: [first], underWay: null }, 'migration-unrecorded'],
    ['that is older than its steps', { version: 2, steps: known, underWay: null }, 'store-corrupt'],
  ])('%s', (_what, layout, expected) => {
    const judged = judgeLayout(layout, known);
    expect(judged.ok ? null : judged.refusal.code).toBe(expected);
  });
});

describe('the record of a layout', () => {
  test('is read as it was written, and is none in an empty store', async () => {
    const store = new MemoryStore();
    expect(unwrap(readLayout(store))).toBeNull();
    await store.batch(newLayoutOps());
    expect(judgeLayout(unwrap(readLayout(store)) as LayoutState).ok).toBe(true);
    const { checksum, cursor, direction, id, records, total } = { ...underWay, cursor: utf8('somewhere') };
    const mark = { checksum, cursor, direction, id, records, total };
    await store.batch([layoutOp(2), stepsOp([]), underWayOp(mark)]);
    expect(unwrap(readLayout(store))).toEqual({ version: 2, steps: [], underWay: mark });
    await store.batch([layoutOp(1), underWayOp(null)]);
    expect(unwrap(readLayout(store))).toEqual({ version: 1, steps: [], underWay: null });
  });

  test('of a newer program is not read beyond its number: its other records may have another form', async () => {
    const store = new MemoryStore();
    await store.batch([layoutOp(99), { kind: 'put', key: MIGRATIONS_KEY, value: utf8('of another form') }]);
    expect(unwrap(readLayout(store))).toMatchObject({ version: 99 });
  });

  test.each([
    ['steps', MIGRATIONS_KEY],
    ['step under way', MIGRATION_KEY],
  ])('with a flipped bit in its %s is store-corrupt', async (_what, key) => {
    const store = new MemoryStore();
    await store.batch([...newLayoutOps(), underWayOp(underWay)]);
    const codes = new Set<string>();
    for (const value of everyFlip(store.get(key) as Uint8Array)) {
      await store.batch([{ kind: 'put', key, value }]);
      const read = readLayout(store);
      codes.add(read.ok ? 'read' : read.refusal.code);
    }
    expect(codes).toEqual(new Set(['store-corrupt']));
  });

  test.each(['one', '', '-1', '1.5', '1e3', '02', ' 1'])(
    'is store-corrupt where its version is %j',
    async (version) => {
      const store = new MemoryStore();
      await store.batch([{ kind: 'put', key: LAYOUT_KEY, value: utf8(version) }]);
      expect(readLayout(store)).toMatchObject({ ok: false, refusal: { code: 'store-corrupt' } });
    },
  );
});
