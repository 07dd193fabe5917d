/** Data directories to migrate: the kept ones of older layouts, and what is compared of them. */
import { createHash } from 'node:crypto';
import { cp, readdir, readFile, chmod } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { toHex } from '../../../src/base/bytes.ts';
import { loadConfig, type NodeConfig } from '../../../src/node/config.ts';
import { ledgerDirectory } from '../../../src/node/open-store.ts';
import { LevelStore } from '../../../src/store/level-store.ts';
import type { Store } from '../../../src/store/store.ts';
import { temporaryDirectory } from '../directory.ts';

export const FIXTURES = join(import.meta.dirname, '..', '..', 'fixtures');

export interface Copied {
  readonly directory: string;
  readonly data: string;
  readonly config: NodeConfig;
}

/** @param fixture `layout-1` and so on. A checkout does not keep the mode of a key file, which must be its owner's alone. */
export async function copyOf(fixture: string): Promise<Copied> {
  const directory = await temporaryDirectory();
  await cp(join(FIXTURES, fixture), directory, { recursive: true });
  for (const file of ['bls_key', 'masa_oracle_key']) await chmod(join(directory, file), 0o600);
  const file = join(directory, 'config.json');
  const { config } = await loadConfig({ file, environment: {}, flags: {}, directory });
  return { directory, data: join(directory, 'data'), config };
}

/** Every file below, by its path, with the digest of its bytes. */
export async function filesOf(directory: string): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>();
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) {
      files.set(relative(directory, join(entry.parentPath, entry.name)), 'no file');
      continue;
    }
    const path = join(entry.parentPath, entry.name);
    files.set(
      relative(directory, path),
      createHash('sha256')
        .update(await readFile(path))
        .digest('hex'),
    );
  }
  return files;
}

/** All that the store of a stopped node holds. */
export async function contentsOf(data: string): Promise<ReadonlyMap<string, string>> {
  const store = await LevelStore.open(ledgerDirectory(data));
  try {
    return await entriesOf(store);
  } finally {
    await store.close();
  }
}

export async function entriesOf(store: Pick<Store, 'entries'>): Promise<ReadonlyMap<string, string>> {
  const entries = new Map<string, string>();
  for await (const [key, value] of store.entries({})) entries.set(toHex(key), toHex(value));
  return entries;
}
