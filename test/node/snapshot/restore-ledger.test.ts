import { existsSync } from 'node:fs';
import { appendFile, cp, open, readdir, readFile, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { textFromUtf8 } from '../../../src/base/bytes.ts';
import { BlockLog } from '../../../src/ledger/block-log.ts';
import { STATE_RANGE } from '../../../src/ledger/layout.ts';
import { ledgerDirectory, openLedger } from '../../../src/node/open-ledger.ts';
import { exportSnapshot } from '../../../src/node/snapshot/export-snapshot.ts';
import { openSnapshot, verifyChunks } from '../../../src/node/snapshot/open-snapshot.ts';
import { restoreLedger } from '../../../src/node/snapshot/restore-ledger.ts';
import { chunkFile, SnapshotFolder } from '../../../src/node/snapshot/snapshot-folder.ts';
import { snapshotAt, snapshotInFile, snapshotInFolder } from '../../../src/node/snapshot/snapshot-source.ts';
import { CATALOG } from '../../../src/projections/catalog.ts';
import { Projector } from '../../../src/projections/projector.ts';
import { LevelStore } from '../../../src/store/level-store.ts';
import { SealedChain } from '../../ledger/chain.ts';
import { temporaryDirectory } from '../directory.ts';
import { emptyPlace, sharedDirectory, snapshotIn, testLedger, type TestLedger } from './ledger.ts';

const HEIGHT = 12;
const nothing = (): void => undefined;

let shared: string;
let ledger: TestLedger;
let folder: SnapshotFolder;

beforeAll(async () => {
  shared = await sharedDirectory();
  ledger = await testLedger(HEIGHT, shared);
  await snapshotIn(ledger);
  folder = SnapshotFolder.of(ledger.config.dataDirectory);
});

afterAll(() => rm(shared, { recursive: true, force: true }));

const restore = async (dataDirectory: string, source = snapshotInFolder(folder, HEIGHT)) =>
  restoreLedger({
    dataDirectory,
    genesis: ledger.chain.genesis,
    validatorKey: null,
    source: await source,
    threads: 2,
    onProgress: nothing,
  });

async function stateIn(dataDirectory: string): Promise<ReadonlyMap<string, Uint8Array>> {
  const store = await LevelStore.open(ledgerDirectory(dataDirectory));
  const state = new Map<string, Uint8Array>();
  for await (const [key, value] of store.entries(STATE_RANGE)) state.set(textFromUtf8(key.subarray(1)), value.slice());
  await store.close();
  return state;
}

describe('a restored directory', () => {
  test('is a ledger with the state of the snapshot, whose log begins at its block', async () => {
    const { config } = await emptyPlace(ledger.chain);
    const restored = await restore(config.dataDirectory);
    expect(restored).toMatchObject({ height: HEIGHT, blockId: ledger.chain.head.id, resumedChunks: 0 });
    expect(await stateIn(config.dataDirectory)).toEqual(ledger.chain.backing.entries);
    const opened = await openLedger(config.dataDirectory, ledger.chain.genesis, null);
    expect(opened.log.head()).toMatchObject({ height: HEIGHT, blockId: ledger.chain.head.id });
    expect(opened.machine.head.stateRoot).toBe(ledger.chain.machine.head.stateRoot);
    expect(opened.log.sealedBytesAt(HEIGHT - 1)).toBeUndefined();
    await opened.store.close();
  });

  test('serves projections at once, and keeps the snapshot that it began with', async () => {
    const { config } = await emptyPlace(ledger.chain);
    await restore(config.dataDirectory);
    const store = await LevelStore.open(ledgerDirectory(config.dataDirectory));
    const log = await BlockLog.open(store, { chainId: ledger.chain.chainId, validatorKey: null });
    const projector = await Projector.open({ store, log, projections: CATALOG, onStopped: nothing });
    expect(projector.status().map(({ height, state }) => ({ height, state }))).toEqual(
      CATALOG.map(() => ({ height: HEIGHT, state: 'following' })),
    );
    await projector.close();
    await store.close();
    const kept = SnapshotFolder.of(config.dataDirectory);
    expect(await kept.heights()).toEqual([HEIGHT]);
    const snapshot = await openSnapshot(await snapshotInFolder(kept, HEIGHT), ledger.chain.genesis);
    expect(await verifyChunks(snapshot, 1, nothing)).toBe(ledger.chain.backing.entries.size);
  });

  test('may be made of a file, and of the snapshot that already lies in the directory', async () => {
    const place = await temporaryDirectory();
    const file = join(place, 'ledger.snapshot');
    const snapshot = await openSnapshot(await snapshotInFolder(folder, HEIGHT), ledger.chain.genesis);
    await exportSnapshot(snapshot, file, 2, nothing);
    const { config } = await emptyPlace(ledger.chain);
    await restore(config.dataDirectory, snapshotAt(file));
    await rm(ledgerDirectory(config.dataDirectory), { recursive: true });
    await restore(config.dataDirectory, snapshotAt(SnapshotFolder.of(config.dataDirectory).pathOf(HEIGHT)));
    expect(await stateIn(config.dataDirectory)).toEqual(ledger.chain.backing.entries);
    await expect(exportSnapshot(snapshot, file, 1, nothing)).rejects.toMatchObject({ code: 'file-exists' });
  });
});

describe('restoring', () => {
  test('is refused where there is a ledger already, which stays as it is', async () => {
    await expect(restore(ledger.config.dataDirectory)).rejects.toMatchObject({ code: 'store-not-empty' });
    expect(await stateIn(ledger.config.dataDirectory)).toEqual(ledger.chain.backing.entries);
  });

  test('is refused by the genesis of another chain', async () => {
    const other = new SealedChain({ validators: 5 });
    const source = await snapshotInFolder(folder, HEIGHT);
    await expect(openSnapshot(source, other.genesis)).rejects.toMatchObject({ code: 'snapshot-of-another-chain' });
  });

  test('writes nothing of a chunk that does not hold, and goes on once it does', async () => {
    const bad = await copyOfSnapshot();
    const path = join(bad.pathOf(HEIGHT), chunkFile(0));
    const whole = await readFile(path);
    await flipByte(path, whole.length >> 1);
    const { config } = await emptyPlace(ledger.chain);
    const refused = restore(config.dataDirectory, snapshotInFolder(bad, HEIGHT));
    await expect(refused).rejects.toMatchObject({ details: { chunk: 0 } });
    expect((await stateIn(config.dataDirectory)).size).toBe(0);
    await expect(openLedger(config.dataDirectory, ledger.chain.genesis, null)).rejects.toMatchObject({
      code: 'restore-unfinished',
    });
    await restore(config.dataDirectory);
    expect(await stateIn(config.dataDirectory)).toEqual(ledger.chain.backing.entries);
  });

  test('goes on behind a power cut that left the mark of a chunk and not its file', async () => {
    const { config } = await emptyPlace(ledger.chain);
    const cut = restoreLedger({
      dataDirectory: config.dataDirectory,
      genesis: ledger.chain.genesis,
      validatorKey: null,
      source: await snapshotInFolder(folder, HEIGHT),
      threads: 1,
      onProgress: ({ chunks }) => {
        if (chunks === 1) throw new Error('the power is cut');
      },
    });
    await expect(cut).rejects.toThrow('the power is cut');
    const kept = SnapshotFolder.of(config.dataDirectory);
    expect(await kept.heights()).toEqual([]);
    await truncate(join(`${kept.pathOf(HEIGHT)}.part`, chunkFile(0)), 7);
    expect(await restore(config.dataDirectory)).toMatchObject({ resumedChunks: 1 });
    const snapshot = await openSnapshot(await snapshotInFolder(kept, HEIGHT), ledger.chain.genesis);
    expect(await verifyChunks(snapshot, 1, nothing)).toBe(ledger.chain.backing.entries.size);
    expect(await stateIn(config.dataDirectory)).toEqual(ledger.chain.backing.entries);
  });

  test('of another snapshot is refused while one is under way', async () => {
    const { config } = await emptyPlace(ledger.chain);
    const bad = await copyOfSnapshot();
    await flipByte(join(bad.pathOf(HEIGHT), chunkFile(0)), 40);
    await restore(config.dataDirectory, snapshotInFolder(bad, HEIGHT)).catch(nothing);
    // The same chain, one block further.
    const further = await testLedger(HEIGHT + 1);
    await snapshotIn(further);
    const later = snapshotInFolder(SnapshotFolder.of(further.config.dataDirectory), HEIGHT + 1);
    await expect(restore(config.dataDirectory, later)).rejects.toMatchObject({
      code: 'restore-of-another',
      details: { height: HEIGHT, wanted: HEIGHT + 1 },
    });
  });
});

describe('a snapshot that is not whole', () => {
  test('is refused by its folder: no manifest, a chunk that is missing or larger than any', async () => {
    await expect(snapshotInFolder(folder, 5)).rejects.toMatchObject({ code: 'snapshot-missing' });
    const bad = await copyOfSnapshot();
    const path = join(bad.pathOf(HEIGHT), chunkFile(0));
    await truncate(path, 9 << 20);
    await expect(snapshotInFolder(bad, HEIGHT)).rejects.toMatchObject({ code: 'snapshot-incomplete' });
    await rm(path);
    await expect(snapshotInFolder(bad, HEIGHT)).rejects.toMatchObject({ code: 'snapshot-incomplete' });
  });

  test('is refused by its file: cut anywhere, longer than it was, or another kind of file', async () => {
    const file = join(await temporaryDirectory(), 'ledger.snapshot');
    const snapshot = await openSnapshot(await snapshotInFolder(folder, HEIGHT), ledger.chain.genesis);
    const length = await exportSnapshot(snapshot, file, 2, nothing);
    await appendFile(file, 'x');
    await expect(snapshotInFile(file)).rejects.toMatchObject({ code: 'snapshot-incomplete' });
    for (const cut of [length - 1, length >> 1, 30, 22, 10, 0]) {
      await truncate(file, cut);
      await expect(snapshotInFile(file)).rejects.toMatchObject({ code: 'snapshot-incomplete' });
    }
    await expect(snapshotInFile(`${file}.none`)).rejects.toMatchObject({ code: 'snapshot-missing' });
    await expect(snapshotAt(`${file}.none`)).rejects.toMatchObject({ code: 'snapshot-missing' });
  });

  test('leaves no file behind when a chunk of it does not hold on export', async () => {
    const bad = await copyOfSnapshot();
    await flipByte(join(bad.pathOf(HEIGHT), chunkFile(0)), 60);
    const place = await temporaryDirectory();
    const snapshot = await openSnapshot(await snapshotInFolder(bad, HEIGHT), ledger.chain.genesis);
    await expect(exportSnapshot(snapshot, join(place, 'out'), 2, nothing)).rejects.toMatchObject({
      details: { chunk: 0 },
    });
    expect(await readdir(place)).toEqual([]);
    expect(existsSync(join(place, 'out'))).toBe(false);
  });
});

async function copyOfSnapshot(): Promise<SnapshotFolder> {
  const directory = await temporaryDirectory();
  await cp(folder.directory, directory, { recursive: true });
  return new SnapshotFolder(directory);
}

async function flipByte(path: string, at: number): Promise<void> {
  const handle = await open(path, 'r+');
  const byte = new Uint8Array(1);
  await handle.read(byte, 0, 1, at);
  byte[0] = (byte[0] as number) ^ 1;
  await handle.write(byte, 0, 1, at);
  await handle.close();
}
