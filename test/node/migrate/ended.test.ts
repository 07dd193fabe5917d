import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { LAYOUT_VERSION } from '../../../src/ledger/layout.ts';
import { migrate, migrationStatus } from '../../../src/node/migrate/migrate.ts';
import { ledgerDirectory } from '../../../src/node/open-store.ts';
import { LevelStore } from '../../../src/store/level-store.ts';
import { temporaryDirectory } from '../directory.ts';
import { contentsOf, entriesOf } from './directories.ts';
import { makeLayoutTwo } from './made-directory.ts';

const ENDS = 20;

interface Life {
  readonly signal: string | null;
  readonly effects: number;
}

async function life(data: string, effects: number): Promise<Life> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'ended.ts'), data, String(effects)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [told, [, signal]] = await Promise.all([text(child.stdout), once(child, 'close')]);
  return { signal: signal as string | null, effects: Number(told) };
}

async function made(work: string): Promise<string> {
  const data = join(work, 'data');
  await mkdir(data);
  const store = await LevelStore.open(ledgerDirectory(data), { create: true });
  await makeLayoutTwo(store, 500);
  await store.close();
  return data;
}

async function contentOfBackup(directory: string): Promise<ReadonlyMap<string, string>> {
  const store = await LevelStore.open(directory);
  try {
    return await entriesOf(store);
  } finally {
    await store.close();
  }
}

describe('a migration with a backup whose process is killed with -9 at some effect on the disk', () => {
  test('goes on, to the same bytes, and every backup that has its name is whole', async () => {
    const work = await temporaryDirectory();
    const data = await made(work);
    const before = await contentsOf(data);
    const lifeOf = async (effects: number) => {
      const copy = join(work, String(effects), 'data');
      await cp(data, copy, { recursive: true });
      return { copy, ...(await life(copy, effects)) };
    };
    const whole = await lifeOf(Number.MAX_SAFE_INTEGER);
    expect(whole).toMatchObject({ signal: null });
    const after = await contentsOf(whole.copy);
    expect(after).not.toEqual(before);

    for (let end = 0; end < ENDS; end++) {
      const effects = Math.floor((end * whole.effects) / ENDS);
      const { copy, signal } = await lifeOf(effects);
      expect(signal, `after ${effects} effects`).toBe('SIGKILL');
      const { layout, refusal } = await migrationStatus(copy);
      if (layout === 2) expect(['layout-older', 'migration-under-way']).toContain(refusal?.code);
      await migrate(copy, { direction: 'up', backup: true, onProgress: () => undefined });
      expect(await contentsOf(copy)).toEqual(after);
      const beside = await readdir(copy);
      const backups = beside.filter((name) => name.startsWith('ledger.'));
      expect(backups.length).toBeGreaterThan(0);
      for (const name of backups) {
        expect(name).toMatch(/^ledger\.layout-[23](-\d+)?$/);
        const content = await contentOfBackup(join(copy, name));
        if (name.startsWith('ledger.layout-2')) expect(content).toEqual(before);
      }
      expect(await migrationStatus(copy)).toMatchObject({ layout: LAYOUT_VERSION, refusal: null });
    }
  }, 240_000);
});
