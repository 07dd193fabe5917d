import { spawn, spawnSync } from 'node:child_process';
import { mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { utf8 } from '../../src/base/bytes.ts';
import { LevelStore } from '../../src/store/level-store.ts';
import { needs } from '../needs.ts';
import { storeContract } from './contract.ts';

const temporaryDirectory = () => mkdtemp(join(tmpdir(), 'hotledger-store-'));

storeContract('LevelStore', async () => {
  const directory = await temporaryDirectory();
  return {
    open: () => LevelStore.open(join(directory, 'store'), { create: true }),
    remove: () => rm(directory, { recursive: true }),
  };
});

test('a pinned LevelStore shows what it held, while it is written to', async () => {
  const directory = await temporaryDirectory();
  const store = await LevelStore.open(join(directory, 'store'), { create: true });
  const put = (key: string, value: string) => ({ kind: 'put', key: utf8(key), value: utf8(value) }) as const;
  await store.batch([put('a', '1'), put('b', '2')], { sync: false });
  const view = store.pin();
  await store.batch([put('a', 'other'), put('c', '3'), { kind: 'delete', key: utf8('b') }], { sync: false });
  expect(view.get(utf8('a'))).toEqual(utf8('1'));
  expect(view.get(utf8('c'))).toBeUndefined();
  const shown: (readonly [Uint8Array, Uint8Array])[] = [];
  for await (const entry of view.entries({})) shown.push(entry);
  expect(shown).toEqual([
    [utf8('a'), utf8('1')],
    [utf8('b'), utf8('2')],
  ]);
  expect(store.get(utf8('a'))).toEqual(utf8('other'));
  await view.close();
  expect(() => view.get(utf8('a'))).toThrow(expect.objectContaining({ code: 'store-read-failed' }));
  await store.close();
  await rm(directory, { recursive: true });
});

describe('opening a LevelStore', () => {
  let parent: string;
  let directory: string;

  beforeEach(async () => {
    parent = await temporaryDirectory();
    directory = join(parent, 'store');
  });

  afterEach(() => rm(parent, { recursive: true }));

  async function written(): Promise<void> {
    const store = await LevelStore.open(directory, { create: true });
    await store.batch([{ kind: 'put', key: utf8('key'), value: utf8('value') }], { sync: true });
    await store.close();
  }

  async function removeFiles(pattern: RegExp): Promise<void> {
    for (const file of await readdir(directory)) if (pattern.test(file)) await rm(join(directory, file));
  }

  test('a directory without a store is store-missing unless it is to be created', async () => {
    await expect(LevelStore.open(directory)).rejects.toMatchObject({ code: 'store-missing' });
    await expect(LevelStore.open(join(parent, 'a', 'b'))).rejects.toMatchObject({ code: 'store-missing' });
    const before = await readdir(parent);
    await expect(LevelStore.open(parent)).rejects.toMatchObject({ code: 'store-missing' });
    expect(await readdir(parent), 'it is left as it is').toEqual(before);
    await writeFile(join(parent, 'file'), '');
    for (const place of [join(parent, 'file'), join(parent, 'file', 'below')]) {
      await expect(LevelStore.open(place), 'it is no directory').rejects.toMatchObject({ code: 'store-open-failed' });
    }
  });

  test('a store that is open elsewhere is store-locked', async () => {
    await written();
    const first = await LevelStore.open(directory);
    await expect(LevelStore.open(directory)).rejects.toMatchObject({ code: 'store-locked' });
    await first.close();
    await (await LevelStore.open(directory)).close();
  });

  test('a store without its manifest is store-corrupt', async () => {
    await written();
    await removeFiles(/^MANIFEST/);
    await expect(LevelStore.open(directory)).rejects.toMatchObject({ code: 'store-corrupt' });
  });

  test('a half-written store is store-corrupt, and is not made anew over the old tables', async () => {
    await written();
    await removeFiles(/^CURRENT$/);
    await expect(LevelStore.open(directory)).rejects.toMatchObject({ code: 'store-corrupt' });
    await expect(LevelStore.open(directory, { create: true })).rejects.toMatchObject({ code: 'store-corrupt' });
  });

  test('a garbled manifest is store-corrupt', async () => {
    await written();
    for (const file of await readdir(directory)) {
      if (file.startsWith('MANIFEST')) await writeFile(join(directory, file), 'garbage garbage garbage');
    }
    await expect(LevelStore.open(directory)).rejects.toMatchObject({ code: 'store-corrupt' });
  });

  test('a place that cannot hold a directory is store-open-failed', async () => {
    await writeFile(directory, 'a file');
    await expect(LevelStore.open(directory, { create: true })).rejects.toMatchObject({ code: 'store-open-failed' });
  });

  test('a batch whose record was torn at the end of the log is gone whole, and those before it are there', async () => {
    const store = await LevelStore.open(directory, { create: true });
    await store.batch([{ kind: 'put', key: utf8('first'), value: utf8('1') }], { sync: true });
    const torn = [utf8('a'), utf8('b')].map((key) => ({ kind: 'put' as const, key, value: new Uint8Array(1000) }));
    await store.batch(torn, { sync: true });
    await store.close();
    const log = (await readdir(directory)).find((file) => file.endsWith('.log')) as string;
    await truncate(join(directory, log), 1500);
    const reopened = await LevelStore.open(directory);
    expect(reopened.get(utf8('first'))).toEqual(utf8('1'));
    expect(reopened.get(utf8('a'))).toBeUndefined();
    expect(reopened.get(utf8('b'))).toBeUndefined();
    await reopened.close();
  });

  test('what a synced batch wrote survives kill -9', async () => {
    const program = `
      import { LevelStore } from '${new URL('../../src/store/level-store.ts', import.meta.url).href}';
      const store = await LevelStore.open(process.argv[1], { create: true });
      await store.batch([{ kind: 'put', key: new Uint8Array([1]), value: new Uint8Array([2]) }], { sync: true });
      process.stdout.write('written');
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program, directory]);
    await once(child.stdout, 'data');
    child.kill('SIGKILL');
    await once(child, 'exit');
    const reopened = await LevelStore.open(directory);
    expect(reopened.get(Uint8Array.of(1))).toEqual(Uint8Array.of(2));
    await reopened.close();
  });

  /** A file system of its own, of one megabyte, in a mount namespace: needs Linux and the right to make one. */
  const smallDisk = ['unshare', ['-rm', 'sh', '-c']] as const;
  const canMount = spawnSync(smallDisk[0], [...smallDisk[1], 'mount -t tmpfs -o size=1m tmpfs /mnt']).status === 0;

  test.runIf(needs('a mount namespace', canMount))(
    'a full disk is store-disk-full, and what was synced before is still read',
    () => {
      const program = `
      import { rmSync, writeFileSync } from 'node:fs';
      import { LevelStore } from '${new URL('../../src/store/level-store.ts', import.meta.url).href}';
      writeFileSync('/mnt/other', Buffer.alloc(200_000));
      const store = await LevelStore.open('/mnt/store', { create: true });
      const put = (i) => store.batch([{ kind: 'put', key: new Uint8Array([i]), value: Buffer.alloc(60_000, i) }], { sync: true });
      const codeOf = async (write) => { try { await write(); } catch (error) { return error.code; } return 'none'; };
      const code = await codeOf(async () => { for (let i = 0; i < 100; i++) await put(i); });
      rmSync('/mnt/other');
      // Behind the half record it would be lost at the next start.
      const later = await codeOf(() => put(0));
      console.log(code, store.get(new Uint8Array([0])).length, later);`;
      const command = `mount -t tmpfs -o size=1m tmpfs /mnt && exec "$0" --input-type=module -e "$1"`;
      const run = spawnSync(smallDisk[0], [...smallDisk[1], command, process.execPath, program], { encoding: 'utf8' });
      expect(run.stdout.trim()).toBe('store-disk-full 60000 store-disk-full');
    },
  );

  test('what is asked of a closed store is refused with a code', async () => {
    await written();
    const store = await LevelStore.open(directory);
    await store.close();
    expect(() => store.get(utf8('key'))).toThrow(expect.objectContaining({ code: 'store-read-failed' }));
    await expect(store.batch([{ kind: 'delete', key: utf8('key') }], { sync: true })).rejects.toMatchObject({
      code: 'store-write-failed',
    });
  });
});
