import { appendFile, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import { sha256Hex } from '../../../src/base/hash.ts';
import { refuse } from '../../../src/base/result.ts';
import { layoutOp, stepsOp, underWayOp } from '../../../src/ledger/layout-history.ts';
import { LAYOUT_VERSION } from '../../../src/ledger/layout.ts';
import { floorOps } from '../../../src/ledger/block-log.ts';
import { cloneStore, verifyClone } from '../../../src/node/clone-store.ts';
import { migrate, migrationStatus, tryMigration, type MigrateOptions } from '../../../src/node/migrate/migrate.ts';
import type { KnownSteps } from '../../../src/node/migrate/plan.ts';
import { openLedger } from '../../../src/node/open-ledger.ts';
import { ledgerDirectory, openStore } from '../../../src/node/open-store.ts';
import { LevelStore } from '../../../src/store/level-store.ts';
import type { StoreOperation } from '../../../src/store/store.ts';
import type { MigrationStep } from '../../../migrations/step.ts';
import { SealedChain } from '../../ledger/chain.ts';
import { temporaryDirectory } from '../directory.ts';
import { contentsOf, entriesOf, filesOf } from './directories.ts';
import { TOY_LAYOUT, toyOps, toyStep, withToy, withTwoToys } from './toy-step.ts';

const known = withToy();
const quiet = () => undefined;

/** A data directory with the toy's values, and these operations on top. */
async function toyDirectory(...operations: readonly StoreOperation[]): Promise<string> {
  const data = join(await temporaryDirectory(), 'data');
  await mkdir(data);
  const store = await LevelStore.open(ledgerDirectory(data), { create: true });
  await store.batch([...toyOps(), ...operations], { sync: true });
  await store.close();
  return data;
}

type Options = Partial<MigrateOptions> & { readonly backup?: boolean; readonly freeBytes?: () => Promise<number> };

const up = (data: string, options: Options = {}) =>
  migrate(data, { direction: 'up', backup: true, onProgress: quiet, known, ...options });

/** What is refused leaves every file as it was. */
async function expectRefused(data: string, code: string, attempt: () => Promise<unknown>): Promise<void> {
  const before = await filesOf(data);
  await expect(attempt()).rejects.toMatchObject({ code });
  expect(await filesOf(data)).toEqual(before);
}

const row = (id: string, text: string) => ({ id, checksum: sha256Hex(utf8(text)) });
const recorded = known.history.slice(0, -1);

describe('a data directory is refused, and left byte for byte as it is,', () => {
  test.each<[what: string, code: string, operations: StoreOperation[], steps: KnownSteps]>([
    ['by an older program', 'layout-newer', [layoutOp(99)], known],
    [
      'by a program whose past step was edited',
      'migration-edited',
      [layoutOp(TOY_LAYOUT), stepsOp(known.history)],
      withToy(toyStep(), sha256Hex(utf8('edited'))),
    ],
    [
      'by a program that lacks a past step',
      'migration-missing',
      [layoutOp(TOY_LAYOUT), stepsOp([...recorded, row('0009-other', 'other')])],
      known,
    ],
    ['where no step led to its layout', 'migration-unrecorded', [layoutOp(TOY_LAYOUT), stepsOp(recorded)], known],
    [
      'in the middle of a step that was edited since',
      'migration-edited',
      [
        layoutOp(TOY_LAYOUT),
        underWayOp({ ...row(toyStep().id, 'other'), direction: 'up', cursor: null, records: 0, total: 1 }),
      ],
      known,
    ],
    [
      'in the middle of a step that this program lacks',
      'migration-missing',
      [
        layoutOp(TOY_LAYOUT),
        underWayOp({ ...row('0009-other', 'other'), direction: 'up', cursor: null, records: 0, total: 1 }),
      ],
      known,
    ],
    [
      'in the middle of the way back',
      'migration-under-way',
      [
        layoutOp(TOY_LAYOUT),
        stepsOp(known.history),
        underWayOp({ ...row(toyStep().id, 'toy'), direction: 'down', cursor: null, records: 0, total: 1 }),
      ],
      known,
    ],
  ])('%s', async (_what, code, operations, steps) => {
    const data = await toyDirectory(...operations);
    await expectRefused(data, code, () => up(data, { known: steps }));
    await expectRefused(data, code, () =>
      tryMigration(data, { direction: 'up', known: steps, limitMs: 1000, onProgress: quiet }),
    );
    const before = await filesOf(data);
    expect(await migrationStatus(data, steps)).toMatchObject({ refusal: { code: expect.any(String) } });
    expect(await filesOf(data)).toEqual(before);
  });

  test('when there is no way to the layout that was named', async () => {
    const data = await toyDirectory();
    await expectRefused(data, 'migration-target', () => up(data, { to: TOY_LAYOUT + 1 }));
    await expectRefused(data, 'migration-target', () => up(data, { direction: 'down', to: TOY_LAYOUT }));
    await expectRefused(data, 'migration-target', () => up(data, { to: LAYOUT_VERSION - 1 }));
  });

  test('when there is not enough room on the disk', async () => {
    const data = await toyDirectory();
    await expectRefused(data, 'migration-no-space', () => up(data, { freeBytes: async () => 1_000_000 }));
  });

  test('when there is not enough room for a later step, or a later one refuses', async () => {
    const data = await toyDirectory();
    const freeBytes = async () => 500_000_000;
    await expectRefused(data, 'migration-no-space', () => up(data, { freeBytes, known: withTwoToys(1_000_000_000) }));
    const { history, steps } = withTwoToys(1);
    const refused = () => Promise.resolve(refuse('migration-irreversible', 'not this one'));
    const last = steps.at(-1) as MigrationStep;
    const refusing = { history, steps: [...steps.slice(0, -1), { ...last, up: { ...last.up, admit: refused } }] };
    await expectRefused(data, 'migration-irreversible', () => up(data, { freeBytes, known: refusing }));
  });

  test('when its blocks were dropped, by the way back to a layout that must have them', async () => {
    const chain = new SealedChain();
    const data = join(await temporaryDirectory(), 'data');
    await mkdir(data);
    const { store } = await openLedger(data, chain.genesis, null);
    await store.batch(floorOps(5), { sync: true });
    await store.close();
    await expectRefused(data, 'migration-irreversible', () =>
      migrate(data, { direction: 'down', to: 1, backup: false, onProgress: quiet }),
    );
  });

  test('by whoever opens it as a ledger in the middle of a migration', async () => {
    const { checksum, id } = recorded.at(-1) ?? row('', '');
    const mark = underWayOp({ id, checksum, direction: 'up', cursor: null, records: 0, total: 1 });
    const data = await toyDirectory(mark);
    await expectRefused(data, 'migration-under-way', () => openStore(data, { create: true }));
  });

  test('by whoever opens it as a ledger of another layout', async () => {
    const newer = await toyDirectory(layoutOp(99));
    await expectRefused(newer, 'layout-newer', () => openStore(newer, { create: true }));
    const older = await toyDirectory(layoutOp(1), stepsOp([]));
    await expectRefused(older, 'layout-older', () => openStore(older, { create: true }));
  });

  test('while its node runs, or where there is no ledger', async () => {
    const data = await toyDirectory();
    const store = await LevelStore.open(ledgerDirectory(data));
    await expect(up(data)).rejects.toMatchObject({ code: 'store-locked' });
    expect(await migrationStatus(data, known)).toMatchObject({ layout: LAYOUT_VERSION });
    await store.close();
    const none = join(await temporaryDirectory(), 'data');
    await mkdir(none);
    await expect(migrationStatus(none)).rejects.toMatchObject({ code: 'store-missing' });
    await (await LevelStore.open(ledgerDirectory(none), { create: true })).close();
    await expect(migrationStatus(none)).rejects.toMatchObject({ code: 'store-empty' });
  });
});

describe('a migration', () => {
  test('makes a backup first, is found in the status, and has nothing to do the second time', async () => {
    const data = await toyDirectory();
    const before = await contentsOf(data);
    expect(await migrationStatus(data, known)).toMatchObject({
      layout: LAYOUT_VERSION,
      refusal: { code: 'layout-older' },
    });
    const report = await up(data);
    expect(report).toMatchObject({
      from: LAYOUT_VERSION,
      to: TOY_LAYOUT,
      backup: { directory: join(data, `ledger.layout-${LAYOUT_VERSION}`) },
      steps: [{ step: toyStep().id, records: 23 }],
    });
    const status = await migrationStatus(data, known);
    expect(status).toMatchObject({ layout: TOY_LAYOUT, refusal: null });
    expect(status.steps.map(({ state }) => state)).toEqual(known.steps.map(() => 'done'));
    expect(await up(data)).toEqual({ from: TOY_LAYOUT, to: TOY_LAYOUT, steps: [], backup: null });
    const restored = await LevelStore.open(report.backup?.directory ?? '');
    expect(await entriesOf(restored)).toEqual(before);
    await restored.close();
  });

  test('of several steps makes all but the last on a clone first, and no single one', async () => {
    const data = await toyDirectory();
    const runs: string[] = [];
    const two = withTwoToys(1, (step) => runs.push(step));
    const [first, last] = two.steps.slice(-2).map(({ id }) => id);
    expect(await up(data, { known: two, to: TOY_LAYOUT })).toMatchObject({ to: TOY_LAYOUT });
    expect(runs.splice(0)).toEqual([first]);
    await migrate(data, { direction: 'down', backup: false, onProgress: quiet, known: two });
    expect(await up(data, { known: two })).toMatchObject({ from: LAYOUT_VERSION, to: TOY_LAYOUT + 1 });
    expect(runs).toEqual([first, first, last]);
  });

  test('leaves the backup out when it is told to, and gives a second one another name', async () => {
    const data = await toyDirectory();
    await up(data, { backup: false });
    expect((await readdir(data)).sort()).toEqual(['ledger']);
    const down = () => migrate(data, { direction: 'down', backup: true, onProgress: quiet, known });
    expect(await down()).toMatchObject({ from: TOY_LAYOUT, to: LAYOUT_VERSION });
    await up(data, { backup: false });
    expect((await down()).backup?.directory).toBe(join(data, `ledger.layout-${TOY_LAYOUT}-2`));
  });

  test('goes on where a process ended, without a backup of what is half done', async () => {
    const data = await toyDirectory();
    const stopping = () => {
      let batches = 0;
      return () => {
        if (++batches === 4) throw new Error('the process ended');
      };
    };
    await expect(up(data, { onProgress: stopping() })).rejects.toThrow('the process ended');
    expect(await migrationStatus(data, known)).toMatchObject({
      refusal: { code: 'migration-under-way', details: { step: toyStep().id, direction: 'up', records: 12 } },
    });
    const report = await up(data);
    expect(report).toMatchObject({ backup: null, steps: [{ resumed: true, batches: 3, records: 23 }] });
    expect(await migrationStatus(data, known)).toMatchObject({ layout: TOY_LAYOUT, refusal: null });
  });

  test('is tried on a clone, in the time that it is given, and leaves nothing behind', async () => {
    const data = await toyDirectory();
    const before = await filesOf(data);
    const whole = await tryMigration(data, { direction: 'up', known, limitMs: 60_000, onProgress: quiet });
    expect(whole).toMatchObject({ to: TOY_LAYOUT, unfinished: null, untried: [], steps: [{ records: 23 }] });
    const cut = await tryMigration(data, { direction: 'up', known, limitMs: -1, onProgress: quiet });
    expect(cut).toMatchObject({ steps: [], unfinished: { records: 0, total: 23 } });
    expect(await filesOf(data)).toEqual(before);
  });
});

describe('a clone of a store', () => {
  test('shares what LevelDB never changes, and copies the rest', async () => {
    const data = await toyDirectory();
    // What is in the log goes to a table.
    await (await LevelStore.open(ledgerDirectory(data))).close();
    const from = ledgerDirectory(data);
    const cloned = await cloneStore(from, join(data, 'clone'));
    expect(cloned.linkedBytes).toBeGreaterThan(0);
    await verifyClone(from, join(data, 'clone'));
    const store = await LevelStore.open(join(data, 'clone'));
    await store.batch([{ kind: 'put', key: utf8('T000'), value: utf8('of the clone') }], { sync: true });
    await store.close();
    expect([...(await contentsOf(data)).values()]).not.toContain(Buffer.from('of the clone').toString('hex'));
  });

  test('with another byte, or another file, is no backup', async () => {
    const data = await toyDirectory();
    const from = ledgerDirectory(data);
    await cloneStore(from, join(data, 'clone'));
    const log = (await readdir(from)).find((file) => file.endsWith('.log')) ?? '';
    await appendFile(join(data, 'clone', log), 'x');
    await expect(verifyClone(from, join(data, 'clone'))).rejects.toMatchObject({ code: 'backup-failed' });
    await rm(join(data, 'clone', log));
    await expect(verifyClone(from, join(data, 'clone'))).rejects.toMatchObject({ code: 'backup-failed' });
  });

  // No process has this number: the kernel's numbers end far below.
  test.each([
    ['.look-999999999-1'],
    ['.layout-2.look-999999999-3'],
    ['.layout-2-12.look-999999999-3'],
    ['.layout-2.part.look-999999999-2'],
    ['.layout-2.part-999999999.look-999999999-2'],
    ['.layout-2.part-999999999'],
    ['.layout-2-3.part-999999999'],
  ])('%s, that a process left behind, goes when the next one looks', async (name) => {
    const data = await toyDirectory();
    await mkdir(`${ledgerDirectory(data)}${name}`);
    await writeFile(`${ledgerDirectory(data)}${name}/000003.log`, '');
    await migrationStatus(data, known);
    expect(await readdir(data)).toEqual(['ledger']);
  });

  test('stays while its process is there, and a backup stays', async () => {
    const data = await toyDirectory();
    const others = [
      `.look-${process.pid}-999`,
      `.layout-1.part-${process.pid}`,
      '.layout-1',
      '.layout-1-2',
      '-layout-1.part-9',
    ];
    for (const name of others) await mkdir(`${ledgerDirectory(data)}${name}`);
    await migrationStatus(data, known);
    expect((await readdir(data)).sort()).toEqual(['ledger', ...others.map((name) => `ledger${name}`)].sort());
  });

  test('of a backup that an older program had not finished goes when the next backup is made', async () => {
    const data = await toyDirectory();
    await mkdir(`${ledgerDirectory(data)}.layout-${LAYOUT_VERSION}.part`);
    await up(data);
    expect((await readdir(data)).sort()).toEqual(['ledger', `ledger.layout-${LAYOUT_VERSION}`]);
  });
});

describe('the note of the layout that was found', () => {
  test('saves a look at the next start, and does not hide a directory that was put in its place', async () => {
    const data = await toyDirectory();
    await (await openStore(data, { create: true })).close();
    expect(await readdir(data)).toContain('layout');
    await (await openStore(data, { create: true })).close();
    const other = await toyDirectory(layoutOp(99));
    await rm(ledgerDirectory(data), { recursive: true });
    await rename(ledgerDirectory(other), ledgerDirectory(data));
    await expectRefused(data, 'layout-newer', () => openStore(data, { create: true }));
  });

  test('is gone when a migration begins', async () => {
    const data = await toyDirectory();
    await (await openStore(data, { create: true })).close();
    await up(data, { backup: false });
    expect(await readdir(data)).not.toContain('layout');
  });
});
