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
import { chainIdOf } from '../../src/ledger/genesis.ts';
import { readGenesisFile } from '../../src/node/genesis-file.ts';
import { openLedger } from '../../src/node/open-ledger.ts';
import { peerOf } from '../ledger/nodes.ts';
import { temporaryDirectory } from '../node/directory.ts';
import { contentsOf, copyOf } from '../node/migrate/directories.ts';
import { testLedger } from '../node/snapshot/ledger.ts';
import { commandBlocks, page } from './pages.ts';
import { run } from './terminal.ts';

const execute = promisify(execFile);

interface Shell {
  readonly directory: string;
  readonly run: (block: string) => Promise<string>;
}

/** A shell in a directory with `node/`, where `hotledger` is this program. */
async function shellWith(fixture: string): Promise<Shell> {
  const copied = await copyOf(fixture);
  const directory = join(copied.directory, 'work');
  await mkdir(join(directory, 'node'), { recursive: true });
  for (const name of await readdir(copied.directory)) {
    if (name !== 'work') await rename(join(copied.directory, name), join(directory, 'node', name));
  }
  return shellIn(directory);
}

/** @param directory whose parent is the test's too */
async function shellIn(directory: string): Promise<Shell> {
  const bin = join(directory, '..', 'bin');
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
    const rows = [...index.matchAll(/^\| \[(.*?)\]\((.*?)\) \|/gm)].map(([, name, file]) => [name, file]);
    expect(rows.sort()).toEqual(pages.map((name) => [name, name]).sort());
    // Those whose commands are run, which the index says of them.
    const withCommands = [];
    for (const name of pages) if (commandBlocks(await page(name)).length > 0) withCommands.push(name);
    const said = /^Every block of commands in (.*?) is run by a test/ms.exec(index)?.[1];
    expect(said?.split(/, | and /).sort()).toEqual(withCommands.sort());
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

  test('disaster-recovery.md begins a new chain with the state of one that has ended, command by command', async () => {
    const directory = join(await temporaryDirectory(), 'work');
    await mkdir(join(directory, 'node'), { recursive: true });
    const { chain } = await testLedger(5, join(directory, 'node'));
    await mkdir(join(directory, 'registrations'));
    for (const name of ['a', 'b', 'c', 'd']) {
      expect(await run(['init', '--dir', name, '--validator'], directory)).toMatchObject({ exit: 0 });
      await rename(join(directory, name, 'registration.json'), join(directory, 'registrations', `${name}.json`));
    }
    const [, , renew = ''] = commandBlocks(await page('disaster-recovery.md'));
    const shell = await shellIn(directory);
    expect(await shell.run(renew)).toMatch(/^5 records: 5 valid, 0 normalised, 0 rejected$.*^records +5$/ms);

    const genesis = await readGenesisFile(join(directory, 'genesis.json'));
    expect(genesis.validators).toHaveLength(4);
    expect(genesis.records.map(({ peerId }) => peerId)).toEqual([1, 2, 3, 4, 5].map((node) => peerOf(node)).sort());
    // What a node of the new chain tells of them is what one of the old chain told.
    const { store } = await openLedger(join(directory, 'new'), genesis, null);
    await store.close();
    await writeFile(join(directory, 'config.json'), '{"genesis":"genesis.json","dataDirectory":"new"}');
    const again = await run(['export', '--config', 'config.json'], directory);
    expect([again.exit, again.out]).toEqual([0, (await readFile(join(directory, 'state.jsonl'), 'utf8')).trimEnd()]);
    expect(chainIdOf(genesis)).not.toBe(chain.chainId);
  }, 120_000);
});
