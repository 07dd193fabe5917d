import { readdirSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { fromHex, toHex, utf8 } from '../../src/base/bytes.ts';
import { contentOf } from '../../src/ledger/checked-record.ts';
import { LAYOUT_VERSION } from '../../src/ledger/layout.ts';
import { migrate, migrationStatus } from '../../src/node/migrate/migrate.ts';
import { contentsOf, copyOf, filesOf, FIXTURES, type Copied } from './migrate/directories.ts';
import { replayOf } from './replaying.ts';

const fixtures = readdirSync(FIXTURES).filter((name) => name.startsWith('layout-'));
const layoutOf = (fixture: string): number => Number(/^layout-(\d+)/.exec(fixture)?.[1]);
const older = fixtures.filter((fixture) => layoutOf(fixture) < LAYOUT_VERSION);
/** The way back, and the backup: of one of each engine, and of all where it may take longer. */
const moved = process.env['LONG'] === '1' ? older : ['layout-1', 'layout-2-raft'];

const replayed = ({ config }: Copied) => replayOf(config);

async function opens(copied: Copied): Promise<void> {
  const report = await replayed(copied);
  expect(report.events).toBeGreaterThan(40);
  expect(report.height).toBeGreaterThan(10);
  expect(report.compared?.state).toMatchObject({ equal: true, firstDifference: null });
}

const move = ({ data }: Copied, direction: 'up' | 'down', to: number) =>
  migrate(data, { direction, to, backup: true, onProgress: () => undefined });

/** A check that an older layout takes without asking for it stays on the way back: of the safety record and of changes. */
function withoutChecks(entries: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  return new Map(
    Array.from(entries, ([key, value]) => {
      const isOptional = key.startsWith(toHex(utf8('C'))) || key === toHex(utf8('Msafety'));
      const content = isOptional ? contentOf(fromHex(value) as Uint8Array) : null;
      return [key, content === null ? value : toHex(content)];
    }),
  );
}

describe('data directories of every layout there was, of a process that was killed in the middle of its work,', () => {
  test('are kept: of each layout before the present one, under either engine', () => {
    const layouts = Array.from({ length: LAYOUT_VERSION - 1 }, (_, index) => `layout-${index + 1}`);
    expect(older.toSorted()).toEqual(layouts.flatMap((layout) => [layout, `${layout}-raft`]));
  });

  test.each(older)('%s is refused as it is, and stays byte for byte as it was', async (fixture) => {
    const copied = await copyOf(fixture);
    const before = await filesOf(copied.directory);
    await expect(replayed(copied)).rejects.toMatchObject({ code: 'layout-older' });
    expect(await migrationStatus(copied.data)).toMatchObject({
      layout: layoutOf(fixture),
      newest: LAYOUT_VERSION,
      refusal: { code: 'layout-older' },
    });
    expect(await filesOf(copied.directory)).toEqual(before);
  });

  test.each(fixtures)('%s opens when it is migrated, and its log gives the same state', async (fixture) => {
    const copied = await copyOf(fixture);
    const report = await move(copied, 'up', LAYOUT_VERSION);
    expect(report).toMatchObject({ from: layoutOf(fixture), to: LAYOUT_VERSION });
    await opens(copied);
    expect(await migrationStatus(copied.data)).toMatchObject({ layout: LAYOUT_VERSION, refusal: null });
  });

  test.each(moved)('%s goes back to what it was, and up again to the same', async (fixture) => {
    const copied = await copyOf(fixture);
    const first = withoutChecks(await contentsOf(copied.data));
    await move(copied, 'up', LAYOUT_VERSION);
    const last = await contentsOf(copied.data);
    await move(copied, 'down', layoutOf(fixture));
    expect(withoutChecks(await contentsOf(copied.data))).toEqual(first);
    await move(copied, 'up', LAYOUT_VERSION);
    expect(await contentsOf(copied.data)).toEqual(last);
    await opens(copied);
  });

  test.each(moved)('%s is in the backup that its migration made, as it was', async (fixture) => {
    const copied = await copyOf(fixture);
    const before = await contentsOf(copied.data);
    const { backup } = await move(copied, 'up', LAYOUT_VERSION);
    expect(backup?.directory).toBe(join(copied.data, `ledger.layout-${layoutOf(fixture)}`));
    await opens(copied);
    await rm(join(copied.data, 'ledger'), { recursive: true });
    await rename(backup?.directory ?? '', join(copied.data, 'ledger'));
    expect(await contentsOf(copied.data)).toEqual(before);
  });
});
