import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { ok } from '../../src/base/result.ts';
import { ServedSnapshots } from '../../src/node/served-snapshots.ts';
import { chunkFile, MANIFEST_FILE, SnapshotFolder } from '../../src/node/snapshot/snapshot-folder.ts';
import { SealedChain } from '../ledger/chain.ts';
import { temporaryDirectory } from './directory.ts';
import { heldSnapshot, type HeldSnapshot } from './joining/served-snapshots.ts';

let chain: SealedChain;
let older: HeldSnapshot;
let newer: HeldSnapshot;

beforeAll(() => {
  chain = new SealedChain();
  for (let node = 1; node <= 4; node++) chain.commit([chain.join(node)]);
  older = heldSnapshot(chain, 1);
  chain.commit([chain.join(5)]);
  newer = heldSnapshot(chain, 2);
});

async function serving(...snapshots: readonly HeldSnapshot[]) {
  const folder = new SnapshotFolder(join(await temporaryDirectory(), 'snapshots'));
  for (const { chunks, manifest, of } of snapshots) {
    await mkdir(folder.pathOf(of.height), { recursive: true });
    await writeFile(join(folder.pathOf(of.height), MANIFEST_FILE), manifest);
    for (const [index, chunk] of chunks.entries()) {
      await writeFile(join(folder.pathOf(of.height), chunkFile(index)), chunk);
    }
  }
  const { chainId } = chain;
  const served = new ServedSnapshots({ chainId, folder, headHeight: () => 9, oldestBlock: () => 3 });
  return { folder, served };
}

test('what lies on the disk is offered, the newest first, and given as it is', async () => {
  const { served } = await serving(older, newer);
  const offer = await served.offer();
  expect(offer).toMatchObject({ headHeight: 9, oldestBlock: 3 });
  expect(offer.snapshots.map(({ depth, height, stateRoot }) => ({ depth, height, stateRoot }))).toEqual([
    newer.of,
    older.of,
  ]);
  expect(offer.snapshots[0]?.bytes).toBe(newer.chunks.reduce((sum, { length }) => sum + length, 0));
  expect(await served.manifest(older.of)).toEqual(ok(older.manifest));
  expect(await served.chunk(newer.of, 3)).toEqual(ok(newer.chunks[3]));
});

test('nothing is offered where there is nothing, or where what lies there is no snapshot of this chain', async () => {
  const nothing = await serving();
  expect((await nothing.served.offer()).snapshots).toEqual([]);
  const other = new SealedChain({ validators: 5 });
  other.commit([other.join(1)]);
  const { served } = await serving(heldSnapshot(other, 1), { ...newer, manifest: newer.manifest.slice(9) });
  expect((await served.offer()).snapshots).toEqual([]);
});

test('a snapshot of another name, one that went meanwhile, and a chunk that is none, are refused by code', async () => {
  const { folder, served } = await serving(newer);
  expect(await served.chunk({ ...newer.of, depth: 1 }, 0)).toMatchObject({ refusal: { code: 'snapshot-gone' } });
  expect(await served.manifest(older.of)).toMatchObject({ refusal: { code: 'snapshot-gone' } });
  expect(await served.chunk(newer.of, 4)).toMatchObject({ refusal: { code: 'chunk-out-of-range' } });
  expect(await served.chunk(newer.of, 0)).toMatchObject({ ok: true });
  await rm(folder.pathOf(newer.of.height), { recursive: true });
  expect(await served.chunk(newer.of, 1)).toMatchObject({ refusal: { code: 'snapshot-gone' } });
  expect((await served.offer()).snapshots).toEqual([]);
  expect(await served.manifest(newer.of)).toMatchObject({ refusal: { code: 'snapshot-gone' } });
});
