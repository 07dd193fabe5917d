import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { FileSyncs } from '../../../src/node/snapshot/file-syncs.ts';
import { temporaryDirectory } from '../directory.ts';

test('all files that were added are synced, a few at a time, and more can follow', async () => {
  const directory = await temporaryDirectory();
  const syncs = new FileSyncs();
  await syncs.done();
  for (let i = 0; i < 20; i++) {
    const path = join(directory, `file-${i}`);
    await writeFile(path, 'content');
    syncs.add(path);
  }
  await syncs.done();
  syncs.add(join(directory, 'file-3'));
  await syncs.done();
});

test('one that cannot be synced is told at the end, once all are at rest', async () => {
  const directory = await temporaryDirectory();
  const syncs = new FileSyncs();
  for (let i = 0; i < 5; i++) syncs.add(join(directory, 'is not there'));
  await expect(syncs.done()).rejects.toMatchObject({ code: 'ENOENT' });
});
