import { mkdir, readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import { sha256 } from '../../../src/base/hash.ts';
import { codedError } from '../../../src/base/result.ts';
import { SnapshotFiles } from '../../../src/node/raft/snapshot-files.ts';
import type { SnapshotMeta } from '../../../src/raft/contract.ts';
import { flipped } from '../../flipped.ts';
import { temporaryDirectory } from '../directory.ts';

const META: SnapshotMeta = {
  lastIndex: 7,
  lastTerm: 2,
  configuration: { index: 1, configuration: { servers: [{ id: 'a', address: 'a:1', suffrage: 'voter' }] } },
};

async function* stream(...pieces: readonly Uint8Array[]): AsyncIterable<Uint8Array> {
  yield* pieces;
}

async function bytesOf(state: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of state) pieces.push(piece);
  return new Uint8Array(Buffer.concat(pieces));
}

async function open(maxBytes = 1 << 30, reserveBytes = 0) {
  const folder = await temporaryDirectory();
  return { folder, files: await SnapshotFiles.open({ folder, maxBytes, reserveBytes }) };
}

const patterned = (length: number) => Uint8Array.from({ length }, (_, i) => (i * 31) % 251);

test('a state is read as it was written, in whatever pieces it came', async () => {
  const { files, folder } = await open();
  for (const sizes of [[], [1], [0, 3], [300_000, 1, 700_001], Array.from({ length: 500 }, () => 1000)]) {
    const state = patterned(sizes.reduce((sum, size) => sum + size, 0));
    let at = 0;
    const stored = await files.write(META, stream(...sizes.map((size) => state.subarray(at, (at += size)))), null);
    expect(stored).toMatchObject({ ...META, sizeBytes: state.length, checksum: sha256(state) });
    expect(await bytesOf(files.read(stored))).toEqual(state);
    expect(await readFile(join(folder, stored.file)).then((bytes) => bytes.length)).toBe(state.length);
    expect(await files.has(stored)).toBe(true);
  }
});

test('a snapshot that ends early, or goes on too long, leaves nothing behind', async () => {
  const { files, folder } = await open(100);
  const write = (state: AsyncIterable<Uint8Array>, sizeBytes: number | null) => files.write(META, state, sizeBytes);
  await expect(write(stream(patterned(9)), 10)).rejects.toMatchObject({ code: 'raft-snapshot-cut-off' });
  await expect(write(stream(patterned(11)), 10)).rejects.toMatchObject({ code: 'raft-snapshot-too-large' });
  await expect(write(stream(patterned(1)), 101)).rejects.toMatchObject({ code: 'raft-snapshot-too-large' });
  await expect(write(stream(patterned(101)), null)).rejects.toMatchObject({ code: 'raft-snapshot-too-large' });
  const broken = (async function* () {
    yield patterned(5);
    throw codedError('stream-closed', 'the sender went away');
  })();
  await expect(write(broken, 10)).rejects.toMatchObject({ code: 'stream-closed' });
  expect(await readdir(folder)).toEqual([]);
});

test('a snapshot for which the disk has no room is refused before it is read', async () => {
  const { files } = await open(Number.MAX_SAFE_INTEGER, 2 ** 50);
  let isRead = false;
  const state = (async function* () {
    isRead = true;
    yield patterned(1);
  })();
  await expect(files.write(META, state, 1)).rejects.toMatchObject({ code: 'raft-snapshot-no-space' });
  expect(isRead).toBe(false);
});

test('a snapshot that cannot be written is told as that', async () => {
  const { files, folder } = await open();
  // The name that it would have is taken by a folder.
  await mkdir(join(folder, '0000000001-2-7.state'));
  await expect(files.write(META, stream(), null)).rejects.toMatchObject({ code: 'raft-snapshot-write-failed' });
});

test('a damaged snapshot is told before its last piece is handed out', async () => {
  const { files, folder } = await open();
  const state = patterned(600_000);
  const stored = await files.write(META, stream(state), null);
  const path = join(folder, stored.file);
  const read = async (): Promise<number> => {
    let bytes = 0;
    await expect(
      (async () => {
        for await (const piece of files.read(stored)) bytes += piece.length;
      })(),
    ).rejects.toMatchObject({ code: 'raft-snapshot-damaged' });
    return bytes;
  };
  await writeFile(path, flipped(state, 12345));
  expect(await read()).toBeLessThan(state.length);
  await truncate(path, 300_000);
  expect(await read()).toBe(300_000);
  expect(await files.has(stored)).toBe(false);
  await files.prune({ ...stored, file: '9' });
  await files.prune({ ...stored, file: '9' });
});

test('the newest and the one before it are kept', async () => {
  const { files, folder } = await open();
  const written = [];
  for (let i = 0; i < 4; i++) written.push(await files.write(META, stream(utf8(`state ${i}`)), null));
  await files.prune(written[3]!);
  expect(await readdir(folder)).toEqual(written.slice(2).map(({ file }) => file));
  expect(await bytesOf(files.read(written[2]!))).toEqual(utf8('state 2'));
});

test('numbers go on after a restart, and what was half written is cleared away', async () => {
  const { files, folder } = await open();
  const first = await files.write(META, stream(utf8('one')), null);
  await writeFile(join(folder, '0000000002-2-9.state.part'), 'half');
  const again = await SnapshotFiles.open({ folder, maxBytes: 100, reserveBytes: 0 });
  expect(await readdir(folder)).toEqual([first.file]);
  const second = await again.write(META, stream(utf8('two')), null);
  expect(second.file > first.file).toBe(true);
});
