/** What is on the disk at which moment of a backup: calls of the file system are written down as they are made. */
import { mkdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { LAYOUT_VERSION } from '../../../src/ledger/layout.ts';
import { backUpStore } from '../../../src/node/migrate/backup.ts';
import { ledgerDirectory } from '../../../src/node/open-store.ts';
import { LevelStore } from '../../../src/store/level-store.ts';
import { temporaryDirectory } from '../directory.ts';
import { toyOps, withToy } from './toy-step.ts';

const calls = vi.hoisted((): [call: string, path: string][] => []);

vi.mock(import('node:fs/promises'), async (original) => {
  const real = await original();
  const open: typeof real.open = async (path, ...flags) => {
    const handle = await real.open(path, ...flags);
    const sync = handle.sync.bind(handle);
    handle.sync = () => (calls.push(['sync', String(path)]), sync());
    return handle;
  };
  const rename: typeof real.rename = (from, to) => (calls.push(['rename', String(to)]), real.rename(from, to));
  return { ...real, open, rename };
});

test('a backup has its name on the disk, behind all that is in it', async () => {
  const data = join(await temporaryDirectory(), 'data');
  await mkdir(data);
  const store = await LevelStore.open(ledgerDirectory(data), { create: true });
  await store.batch(toyOps(), { sync: true });
  await store.close();
  calls.length = 0;
  const free = () => Promise.resolve(1e12);
  const { directory } = await backUpStore(ledgerDirectory(data), LAYOUT_VERSION, free, withToy().history);
  const renamed = calls.findIndex(([call]) => call === 'rename');
  expect(calls.slice(renamed)).toEqual([
    ['rename', directory],
    ['sync', data],
  ]);
  const synced = calls.slice(0, renamed).map(([, path]) => basename(path));
  expect(synced).toContain('CURRENT');
  expect(synced).toContain(`${basename(directory)}.part-${process.pid}`);
});
