/** A replay of a log that does not go back to its beginning: it begins with a snapshot, and says so. */
import { execFile } from 'node:child_process';
import { rmSync } from 'node:fs';
import { cp, rm, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { toHex, utf8 } from '../../src/base/bytes.ts';
import { unwrap } from '../../src/base/result.ts';
import { encodeSealedBlock } from '../../src/ledger/block.ts';
import { stateKey } from '../../src/ledger/layout.ts';
import { snapshotManifestCodec } from '../../src/ledger/snapshot-manifest.ts';
import { nodeKey } from '../../src/ledger/state.ts';
import { ledgerDirectory } from '../../src/node/open-ledger.ts';
import { openSource } from '../../src/node/replay/open-source.ts';
import { restoreLedger } from '../../src/node/snapshot/restore-ledger.ts';
import { chunkFile, SnapshotFolder } from '../../src/node/snapshot/snapshot-folder.ts';
import { snapshotInFolder } from '../../src/node/snapshot/snapshot-source.ts';
import { CATALOG } from '../../src/projections/catalog.ts';
import { rowKey } from '../../src/projections/row-key.ts';
import { Rows } from '../../src/projections/rows.ts';
import { LevelStore } from '../../src/store/level-store.ts';
import type { StoreOperation } from '../../src/store/store.ts';
import { run } from '../cli/terminal.ts';
import { LAUNCHER } from '../e2e/harness.ts';
import { flipped } from '../flipped.ts';
import { peerOf } from '../ledger/nodes.ts';
import { temporaryDirectory } from './directory.ts';
import { dropBlocks, growBy, prunedLedger } from './pruned-ledger.ts';
import { replayOf } from './replaying.ts';
import { emptyPlace, sharedDirectory, snapshotIn, testLedger, type TestLedger } from './snapshot/ledger.ts';

let shared: string;
let made: TestLedger;

beforeAll(async () => {
  shared = await sharedDirectory();
  made = await prunedLedger({}, shared);
});

afterAll(() => rm(shared, { recursive: true, force: true }));

/** Of six blocks, a snapshot and three more, as the log begins at the block of the snapshot. A copy, whose log does not grow. */
async function pruned(): Promise<TestLedger> {
  const place = await emptyPlace(made.chain);
  await cp(made.config.dataDirectory, place.config.dataDirectory, { recursive: true });
  return { ...place, chain: made.chain };
}

const OLDER = ['validators', 'node-history', 'statistics'];

async function write({ config }: Pick<TestLedger, 'config'>, operations: readonly StoreOperation[]): Promise<void> {
  const store = await LevelStore.open(ledgerDirectory(config.dataDirectory));
  await store.batch(operations, { sync: false });
  await store.close();
}

const outcomes = (report: Awaited<ReturnType<typeof replayOf>>) =>
  Object.fromEntries(report.compared?.projections.map(({ name, outcome }) => [name, outcome]) ?? []);

describe('a replay of a pruned log', () => {
  test('begins with its snapshot, says so, and ends at the same state', async () => {
    const { chain, config } = await pruned();
    const notes: string[] = [];
    const report = await replayOf(config, { verifySignatures: false, onNote: (note) => notes.push(note) });
    expect(report).toMatchObject({
      from: { kind: 'snapshot', height: 6 },
      resumedAt: null,
      height: 9,
      events: 3,
      stateRoot: chain.machine.head.stateRoot,
      verified: { seals: true },
      compared: { state: { entries: 11, equal: true } },
    });
    expect(notes).toEqual([
      'begins with the snapshot at height 6, 8 entries: the log begins at height 6, and what was before is not replayed',
    ]);
  });

  test('compares what follows from the state, and says of other projections that they tell of more', async () => {
    const { config, directory } = await pruned();
    expect(outcomes(await replayOf(config))).toEqual({
      'node-data': 'equal',
      ...Object.fromEntries(OLDER.map((name) => [name, 'older'])),
    });
    await rm(join(directory, 'data', 'replay'), { recursive: true });
    const told = await run(['replay', '--data', 'data', '--verify', 'seals', '--compare'], directory);
    expect(told).toMatchObject({ exit: 0 });
    expect(told.out).toMatch(/^from +snapshot at height 6$/m);
    expect(told.out).toMatch(/^projection node-data +\d+ rows, equal$/m);
    expect(told.out).toMatch(
      /^projection node-history +not compared: it tells of blocks that are no more in the log$/m,
    );
    expect(told.err).toContain('begins with the snapshot at height 6');
  });

  test('begins with the oldest snapshot that the log has the block of', async () => {
    const ledger = await prunedLedger({ keepBlocks: 6 });
    await snapshotIn(ledger);
    await growBy(ledger, 2);
    expect(await replayOf(ledger.config)).toMatchObject({ from: { kind: 'snapshot', height: 6 }, height: 11 });
    await expect(replayOf(ledger.config, { to: 5 })).rejects.toMatchObject({
      code: 'replay-height-unknown',
      details: { height: 5, oldest: 6, head: 11 },
    });
    expect(await replayOf(ledger.config, { to: 6 })).toMatchObject({ height: 6, events: 0 });
    await rm(SnapshotFolder.of(ledger.config.dataDirectory).pathOf(6), { recursive: true });
    expect(await replayOf(ledger.config)).toMatchObject({ from: { kind: 'snapshot', height: 9 }, height: 11 });
  });

  test('begins with the genesis where the log does, whatever snapshots there are', async () => {
    const ledger = await testLedger(4);
    await snapshotIn(ledger);
    expect(await replayOf(ledger.config)).toMatchObject({ from: { kind: 'genesis', height: 0 }, height: 4 });
  });

  test('works on a copied directory', async () => {
    const { directory } = await pruned();
    const elsewhere = await temporaryDirectory();
    await cp(join(directory, 'data'), join(elsewhere, 'copy'), { recursive: true });
    const argv = ['replay', '--data', 'copy', '--genesis', join(directory, 'genesis.json'), '--verify', 'seals'];
    const copied = await run([...argv, '--compare', '--json'], elsewhere);
    expect(copied.json()).toMatchObject({
      from: { kind: 'snapshot', height: 6 },
      compared: { state: { equal: true } },
      place: null,
    });
  });

  test('is begun by the command in a process of its own, that says where', async () => {
    const { directory } = await pruned();
    const argv = [LAUNCHER, 'replay', '--config', 'config.json', '--verify', 'seals', '--compare', '--json'];
    const { stderr, stdout } = await promisify(execFile)(process.execPath, argv, { cwd: directory });
    expect(JSON.parse(stdout)).toMatchObject({
      source: 'directory',
      from: { kind: 'snapshot', height: 6 },
      compared: { state: { equal: true } },
    });
    expect(stderr).toContain('begins with the snapshot at height 6');
  });

  test('is told when blocks go that it has not come to', async () => {
    const { config } = await pruned();
    const source = await openSource(config.dataDirectory);
    onTestFinished(() => source.close());
    await expect(source.blocks(4, 8)[Symbol.asyncIterator]().next()).rejects.toMatchObject({
      code: 'blocks-pruned',
      details: { fromHeight: 4, oldest: 6 },
    });
  });

  test('finds the first key that differs, with both values', async () => {
    const ledger = await pruned();
    for (const node of [2, 8]) {
      const key = nodeKey(peerOf(node));
      const record = ledger.chain.machine.get(key) as Uint8Array;
      await write(ledger, [{ kind: 'put', key: stateKey(key), value: utf8('?') }]);
      const { compared } = await replayOf(ledger.config);
      expect(compared?.state.firstDifference).toEqual({
        key,
        replayed: { bytes: record.length, hex: toHex(record) },
        kept: { bytes: 1, hex: toHex(utf8('?')) },
      });
      await write(ledger, [{ kind: 'put', key: stateKey(key), value: record }]);
    }
  });

  test('finds a row that differs and replaces it, and leaves the projections that tell of more', async () => {
    const ledger = await pruned();
    const rows = new Rows({} as never, 'node-data', 0);
    const changed = rows.writeOps([{ kind: 'put', key: rowKey('#'), value: utf8('?') }], 9);
    await write(ledger, changed);
    const argv = ['replay', '--data', 'data', '--verify', 'none', '--compare', '--json'];
    const found = await run(argv, ledger.directory);
    expect(found.exit).toBe(6);
    expect(found.json()).toMatchObject({
      compared: {
        projections: [{ name: 'node-data', outcome: 'different', firstDifference: { key: '23' } }, {}, {}, {}],
      },
    });
    const swapped = await run([...argv, '--swap'], ledger.directory);
    expect(swapped.json()).toMatchObject({ swapped: ['node-data'] });
    expect(swapped.err).toContain('leaves node-history as it is: its rows tell of blocks before height 6, too');
    expect(await run(argv, ledger.directory)).toMatchObject({ exit: 0 });
  });

  test.each(OLDER)('is refused for %s alone, of which it would know the half', async (name) => {
    const { directory } = await pruned();
    const argv = ['replay', '--data', 'data', '--verify', 'none', '--projection', name];
    expect(await run(argv, directory)).toMatchObject({ exit: 1, code: 'replay-projection-older' });
    const ofState = await run(['replay', '--data', 'data', '--verify', 'none', '--projection', 'node-data'], directory);
    expect(ofState).toMatchObject({ exit: 0 });
  });
});

describe('a replay of a directory that was restored from a snapshot', () => {
  test('gives every projection again, as all of them began with it', async () => {
    const ledger = await testLedger(6);
    await snapshotIn(ledger);
    const { config } = await emptyPlace(ledger.chain);
    await restoreLedger({
      dataDirectory: config.dataDirectory,
      genesis: ledger.chain.genesis,
      validatorKey: null,
      source: await snapshotInFolder(SnapshotFolder.of(ledger.config.dataDirectory), 6),
      threads: 1,
      onProgress: () => undefined,
    });
    await growBy({ chain: ledger.chain, config }, 3);
    const report = await replayOf(config);
    expect(report).toMatchObject({
      from: { kind: 'snapshot', height: 6 },
      height: 9,
      compared: { state: { equal: true } },
    });
    expect(outcomes(report)).toEqual(Object.fromEntries(CATALOG.map(({ name }) => [name, 'equal'])));
  });
});

describe('a snapshot that a replay would begin with is refused where', () => {
  const folderOf = ({ config }: TestLedger) => SnapshotFolder.of(config.dataDirectory);

  test('a bit of a chunk was flipped', async () => {
    const ledger = await pruned();
    const folder = folderOf(ledger);
    const chunk = (await folder.chunk(6, 0)) as Uint8Array;
    await writeFile(join(folder.pathOf(6), chunkFile(0)), flipped(chunk, chunk.length >> 1));
    await expect(replayOf(ledger.config)).rejects.toMatchObject({
      code: expect.stringMatching(/^chunk-/) as string,
      details: { chunk: 0 },
    });
    const refused = await run(['replay', '--data', 'data', '--verify', 'none'], ledger.directory);
    expect(refused.code).toMatch(/^chunk-/);
  });

  test('a chunk is missing', async () => {
    const ledger = await pruned();
    await unlink(join(folderOf(ledger).pathOf(6), chunkFile(0)));
    await expect(replayOf(ledger.config)).rejects.toMatchObject({ code: 'snapshot-incomplete' });
  });

  test('no quorum sealed its block', async () => {
    const ledger = await pruned();
    const folder = folderOf(ledger);
    const manifest = unwrap(snapshotManifestCodec.decode((await folder.manifest(6)) as Uint8Array));
    const { block } = ledger.chain.sealedAt(6);
    const sealed = encodeSealedBlock({ block, seal: ledger.chain.sealedAt(5).seal });
    await writeFile(join(folder.pathOf(6), 'manifest'), snapshotManifestCodec.encode({ ...manifest, sealed }));
    await expect(replayOf(ledger.config)).rejects.toMatchObject({ code: 'seal-names-another-block' });
  });

  test('it is removed while it is read', async () => {
    const { config } = await pruned();
    const { directory } = SnapshotFolder.of(config.dataDirectory);
    const removed = replayOf(config, { onNote: () => rmSync(directory, { recursive: true }) });
    await expect(removed).rejects.toMatchObject({ code: 'replay-snapshot-removed', details: { height: 6 } });
    await cp(folderOf(made).directory, directory, { recursive: true });
    const notes: string[] = [];
    expect(await replayOf(config, { onNote: (note) => notes.push(note) })).toMatchObject({
      resumedAt: null,
      height: 9,
    });
    expect(notes[0]).toContain('it ended before its first batch');
  });

  test('it is of another block than the log has', async () => {
    const ledger = await pruned();
    // Another history of the same genesis: in this one a node joined later.
    const other = await testLedger(5);
    await growBy({ chain: other.chain, config: other.config }, 0);
    other.chain.now += 7;
    await growBy(other, 1);
    await snapshotIn(other);
    const path = folderOf(ledger).pathOf(6);
    await rm(path, { recursive: true });
    await cp(folderOf(other).pathOf(6), path, { recursive: true });
    await expect(replayOf(ledger.config)).rejects.toMatchObject({
      code: 'replay-snapshot-foreign',
      details: { height: 6, blockId: other.chain.head.id },
    });
  });

  test('there is none', async () => {
    const ledger = await pruned();
    await rm(folderOf(ledger).directory, { recursive: true });
    const refused = await run(['replay', '--data', 'data'], ledger.directory);
    expect(refused).toMatchObject({ exit: 1, code: 'replay-from-snapshot' });
  });
});

describe('a replay that is given again', () => {
  test('goes on behind the last batch, from the same snapshot', async () => {
    const { config } = await pruned();
    const part = await replayOf(config, { to: 7, compare: false });
    expect(part).toMatchObject({ height: 7, events: 1 });
    const notes: string[] = [];
    const whole = await replayOf(config, { onNote: (note) => notes.push(note) });
    expect(whole).toMatchObject({
      from: { kind: 'snapshot', height: 6 },
      resumedAt: 7,
      events: 3,
      compared: { state: { equal: true } },
    });
    expect(notes[0]).toMatch(/^goes on at height 8/);
  });

  test('goes on with what it began of blocks that were dropped since: with the genesis then', async () => {
    const ledger = await testLedger(6);
    await growBy(ledger, 3);
    await replayOf(ledger.config, { to: 8, compare: false });
    await snapshotAt(ledger, 9);
    await growBy(ledger, 2);
    // The place stands at height 8, below the snapshot: it is of no use any more.
    const early = await replayOf(ledger.config, { into: join(ledger.directory, 'early'), to: 8, compare: false });
    expect(early).toMatchObject({ from: { kind: 'genesis' } });
    await replayOf(ledger.config, { to: 10, compare: false });
    await dropBlocks(ledger, 1);
    const report = await replayOf(ledger.config);
    expect(report).toMatchObject({ from: { kind: 'genesis', height: 0 }, resumedAt: 10, height: 11 });
    expect(outcomes(report)).toEqual(Object.fromEntries(CATALOG.map(({ name }) => [name, 'equal'])));
    const notes: string[] = [];
    const anew = await replayOf(ledger.config, {
      into: join(ledger.directory, 'early'),
      onNote: (note) => notes.push(note),
    });
    expect(anew).toMatchObject({ from: { kind: 'snapshot', height: 9 }, resumedAt: null });
    expect(notes[0]).toContain('it came to height 8, and blocks behind that were dropped since');
  });

  async function snapshotAt(ledger: TestLedger, height: number): Promise<void> {
    expect((await snapshotIn(ledger)).height).toBe(height);
  }
});
