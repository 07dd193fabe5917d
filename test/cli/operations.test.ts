/**
 * The procedures of docs/operations that need no network, followed command by command: what the pages hold is what runs.
 * Those that need one are in test/long/operations.test.ts.
 */
import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, rename, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { root } from '../../scripts/run.ts';
import { contentsOf, copyOf } from '../node/migrate/directories.ts';
import { commandBlocks, page } from './pages.ts';

const execute = promisify(execFile);

/** A shell in a directory with `node/`, where `hotledger` is this program. */
async function shellWith(
  fixture: string,
): Promise<{ readonly directory: string; run: (block: string) => Promise<string> }> {
  const copied = await copyOf(fixture);
  const directory = join(copied.directory, 'work');
  await mkdir(join(directory, 'node'), { recursive: true });
  for (const name of await readdir(copied.directory)) {
    if (name !== 'work') await rename(join(copied.directory, name), join(directory, 'node', name));
  }
  const bin = join(copied.directory, 'bin');
  await mkdir(bin);
  await symlink(process.execPath, join(bin, 'node'));
  const launcher = join(root, 'bin', 'hotledger.js');
  await writeFile(join(bin, 'hotledger'), `#!/bin/sh\nexec node "${launcher}" "$@"\n`, { mode: 0o755 });
  const PATH = `${bin}:${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`;
  return {
    directory,
    run: async (block) => {
      const { stdout } = await execute('sh', ['-euc', block], { cwd: directory, env: { ...process.env, PATH } });
      return stdout;
    },
  };
}

describe('docs/operations', () => {
  test('has every page in its index, and every page is there', async () => {
    const pages = (await readdir(join(root, 'docs', 'operations'))).filter((name) => name !== 'README.md');
    const index = await readFile(join(root, 'docs', 'operations', 'README.md'), 'utf8');
    for (const name of pages) expect(index).toContain(`| [${name}](${name}) |`);
  });

  test('upgrade.md leads from layout 1 to the present one, and back, command by command', async () => {
    const [look = '', migrate = '', check = '', clean = '', back = '', restore = '', ...more] = commandBlocks(
      await page('upgrade.md'),
    );
    expect(more).toEqual([]);
    const { directory, run } = await shellWith('layout-1');
    const data = join(directory, 'node', 'data');
    expect(await run(look)).toMatch(/^layout +1$.* to do: .*^changed +nothing$/ms);
    expect(await run(migrate)).toMatch(/^backup .* done: /ms);
    expect(await run(check)).toMatch(/^state +\d+ entries, equal$/m);
    await run(clean);
    expect(await readdir(data)).not.toContain('ledger.layout-1');
    expect(await run(back)).toMatch(/^layout +1$/m);

    // A second time, to the backup.
    const before = await contentsOf(data);
    await run(migrate);
    await run(restore);
    expect(await contentsOf(data)).toEqual(before);
    expect(await readdir(data)).toContain('ledger.failed');
  }, 120_000);

  test('backup.md copies a stopped observer and puts it back, command by command', async () => {
    const [copy = '', restore = '', ...more] = commandBlocks(await page('backup.md'));
    expect(more).toEqual([]);
    const { directory, run } = await shellWith('layout-2');
    await run('hotledger migrate up --data node/data --no-backup');
    const before = await contentsOf(join(directory, 'node', 'data'));
    await run(copy);
    expect(await run(restore)).toMatch(/^state +\d+ entries, equal$/m);
    expect([...(await contentsOf(join(directory, 'node.backup', 'data'))).keys()]).toEqual([...before.keys()]);
    expect(await readdir(join(directory, 'node'))).toContain('data.lost');
  }, 120_000);
});
