import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { textFromUtf8, utf8 } from '../../../src/base/bytes.ts';
import { sha256 } from '../../../src/base/hash.ts';
import { Random } from '../../../src/base/random.ts';
import { unwrap } from '../../../src/base/result.ts';
import { encodeSealedBlock } from '../../../src/ledger/block.ts';
import { stateKey } from '../../../src/ledger/layout.ts';
import { snapshotChunkCodec } from '../../../src/ledger/snapshot-chunk.ts';
import { Buckets } from '../../../src/node/snapshot/buckets.ts';
import { diskError } from '../../../src/node/snapshot/disk-error.ts';
import { listSnapshots } from '../../../src/node/snapshot/list-snapshots.ts';
import { FULL_SPEED } from '../../../src/node/snapshot/pace.ts';
import { SnapshotFolder } from '../../../src/node/snapshot/snapshot-folder.ts';
import { latin1, writeSnapshot } from '../../../src/node/snapshot/snapshot-writer.ts';
import { snapshotOfStopped } from '../../../src/node/snapshot/stopped-ledger.ts';
import type { StoreOperation } from '../../../src/store/store.ts';
import { SealedChain } from '../../ledger/chain.ts';
import { MemoryStore } from '../../store/memory-store.ts';
import { temporaryDirectory } from '../directory.ts';
import { sharedDirectory, snapshotIn, testLedger, type TestLedger } from './ledger.ts';

const nothing = (): void => undefined;

describe('a snapshot of a stopped directory', () => {
  let ledger: TestLedger;
  let shared: string;

  beforeAll(async () => {
    shared = await sharedDirectory();
    ledger = await testLedger(5, shared);
  });

  afterAll(() => rm(shared, { recursive: true, force: true }));

  test('is given up when it is told to, and nothing of it is left', async () => {
    const { chain, config } = ledger;
    const signal = AbortSignal.abort();
    const options = { dataDirectory: config.dataDirectory, genesis: chain.genesis, onProgress: nothing, signal };
    await expect(snapshotOfStopped(options)).rejects.toMatchObject({ code: 'snapshot-stopped' });
    expect(await readdir(SnapshotFolder.of(config.dataDirectory).directory)).toEqual([]);
  });

  test('is made once a height, beside what a crash left, which goes', async () => {
    const folder = SnapshotFolder.of(ledger.config.dataDirectory);
    await mkdir(join(folder.directory, '3.part', 'buckets'), { recursive: true });
    await mkdir(join(folder.directory, '2.gone'), { recursive: true });
    expect(await snapshotIn(ledger)).toMatchObject({ height: 5, depth: 0, entries: 7 });
    expect(await readdir(folder.directory)).toEqual(['5']);
    await expect(snapshotIn(ledger)).rejects.toMatchObject({ code: 'snapshot-exists', details: { height: 5 } });
    expect(await listSnapshots(folder)).toMatchObject([
      { kind: 'snapshot', height: 5, stateRoot: ledger.chain.machine.head.stateRoot, chunks: 1, entries: 7 },
    ]);
  });
});

describe('a snapshot', () => {
  /** All that the chain's blocks left, as a store holds it. */
  async function storeOf(chain: SealedChain): Promise<MemoryStore> {
    const store = new MemoryStore();
    const puts = Array.from(chain.backing.entries, ([key, value]): StoreOperation => ({
      kind: 'put',
      key: stateKey(key),
      value,
    }));
    await store.batch(puts);
    return store;
  }

  const writing = async (chain: SealedChain, height: number, before: ReadonlyMap<string, Uint8Array | undefined>) => ({
    chainId: chain.chainId,
    view: await storeOf(chain),
    before: new Map(Array.from(before, ([key, value]) => [latin1(utf8(key)), value] as const)),
    sealed: encodeSealedBlock(chain.sealedAt(height)),
    directory: await temporaryDirectory(),
    pace: FULL_SPEED,
    onProgress: nothing,
    checkStopped: nothing,
  });

  test('of an earlier height leaves out what later blocks changed and added in the view', async () => {
    const chain = new SealedChain();
    chain.commit([chain.join(1)]);
    chain.commit([chain.join(2)]);
    const then = new Map(chain.backing.entries);
    chain.commit([chain.join(3)]);
    chain.now += 60;
    chain.commit([chain.join(1, { seq: 2 })]);
    const work = await writing(chain, 2, unwrap(chain.machine.changedSince(2)));
    expect(await writeSnapshot(work)).toMatchObject({ height: 2, entries: then.size });
    const [file] = (await readdir(work.directory)).filter((name) => name.startsWith('chunk'));
    const bytes = await readFile(join(work.directory, file as string));
    const { entries } = unwrap(snapshotChunkCodec.decode(bytes)).content;
    expect(new Map(entries.map(({ key, value }) => [textFromUtf8(key), new Uint8Array(value)]))).toEqual(then);
  });

  test('of a store whose state is not that of the block is refused, and so is one of genesis', async () => {
    const chain = new SealedChain();
    chain.commit([chain.join(1)]);
    chain.commit([chain.join(2)]);
    const early = await writing(chain, 1, new Map());
    await expect(writeSnapshot(early)).rejects.toMatchObject({ code: 'state-root-mismatch' });
    const genesis = await writing(chain, 0, new Map());
    await expect(writeSnapshot(genesis)).rejects.toMatchObject({ code: 'snapshot-of-genesis' });
  });

  test('is not taken for one when its folder does not say so, and an unreadable manifest is told', async () => {
    const folder = new SnapshotFolder(await temporaryDirectory());
    for (const name of ['12', '012', '7.part', 'x', '8.gone']) await mkdir(folder.pathOf(0).replace(/0$/, name));
    await writeFile(join(folder.pathOf(12), 'manifest'), 'no manifest');
    expect(await folder.heights()).toEqual([12]);
    expect(await listSnapshots(folder)).toEqual([{ kind: 'unreadable', height: 12, because: 'undecodable' }]);
    expect(await folder.chunk(12, 0)).toBeUndefined();
  });

  test('is removed when newer ones are enough', async () => {
    const folder = new SnapshotFolder(await temporaryDirectory());
    for (const height of [10, 20, 30, 40, 50]) await mkdir(folder.pathOf(height));
    expect(await folder.keepNewest(2)).toEqual([30, 20, 10]);
    expect(await folder.heights()).toEqual([50, 40]);
  });
});

describe('sorting by key hash', () => {
  test('gives all entries in order, from memory, from files, and from a bucket that is divided once more', () => {
    for (const [count, maxBucketBytes] of [
      [50, 1 << 20],
      [3000, 1 << 20],
      [3000, 2000],
    ] as const) {
      const directory = join(tmpdir(), `hotledger-buckets-${process.pid}-${count}-${maxBucketBytes}`);
      const random = new Random(count);
      const buckets = new Buckets(directory, 0, maxBucketBytes);
      const hashes: string[] = [];
      for (let n = 0; n < count; n++) {
        const key = utf8(`key ${n}`);
        const keyHash = sha256(key);
        // Most of them begin alike, as somebody could make them.
        if (n % 4 !== 0) keyHash[0] = 7;
        hashes.push(latin1(keyHash));
        buckets.add({ key, keyHash, value: new Uint8Array(random.below(n === 5 ? 200_000 : 900)) });
      }
      const sorted = [...buckets.sorted()];
      expect(sorted.map(({ keyHash }) => latin1(keyHash))).toEqual(hashes.toSorted());
      expect(new Set(sorted.map(({ key }) => textFromUtf8(key))).size).toBe(count);
      buckets.close();
    }
  });
});

test('what the disk says has a code, and what is no error of the disk stays as it is', () => {
  const ofDisk = (code: string) => Object.assign(new Error(code), { code, syscall: 'write' });
  expect(diskError(ofDisk('ENOSPC'))).toMatchObject({ code: 'snapshot-no-space' });
  expect(diskError(ofDisk('EIO'))).toMatchObject({ code: 'snapshot-write-failed' });
  const bug = new TypeError('a bug');
  expect(diskError(bug)).toBe(bug);
});
