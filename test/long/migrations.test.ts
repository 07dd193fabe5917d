/** Migrations of directories that are large, and of directories that an older program takes up again. */
import { execFile } from 'node:child_process';
import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { root } from '../../scripts/run.ts';
import { migrate } from '../../src/node/migrate/migrate.ts';
import { copyOf } from '../node/migrate/directories.ts';
import { temporaryDirectory } from '../node/directory.ts';

const execute = promisify(execFile);
const MIB = 1 << 20;
const SMALLER = 150_000;
/** A million records, the index not counted. */
const LARGER = 700_000;
/** A kilobyte that is kept for each record would be 800 MiB; LevelDB's own buffers and caches are full in both. */
const GROWTH_MAX_BYTES = 96 * MIB;

interface Measured {
  readonly records: number;
  readonly seconds: number;
  readonly peakBytes: number;
}

async function measured(blocks: number): Promise<Measured> {
  const data = join(await temporaryDirectory(), 'data');
  await mkdir(data);
  const script = join(root, 'test', 'node', 'migrate', 'measured.ts');
  await execute(process.execPath, [script, data, String(blocks), 'make']);
  const { stdout } = await execute(process.execPath, ['--max-semi-space-size=8', script, data, String(blocks)]);
  return JSON.parse(stdout) as Measured;
}

test('the memory of a migration of a million records is that of one of two hundred thousand', async () => {
  const [smaller, larger] = [await measured(SMALLER), await measured(LARGER)];
  console.log(JSON.stringify({ smaller, larger }));
  expect(larger.records).toBeGreaterThan(1_000_000);
  expect(larger.peakBytes - smaller.peakBytes).toBeLessThan(GROWTH_MAX_BYTES);
}, 1_800_000);

test.each([['layout-1'], ['layout-2']])(
  'a directory of %s that went up and down again is opened by the program that wrote it, and is what its log gives',
  async (fixture) => {
    const { data, directory } = await copyOf(fixture);
    const layout = Number(/\d+/.exec(fixture)?.[0]);
    await migrate(data, { direction: 'up', backup: false, onProgress: () => undefined });
    await migrate(data, { direction: 'down', to: layout, backup: false, onProgress: () => undefined });
    const program = join(directory, 'program');
    await mkdir(program);
    await execute('tar', ['xzf', join(directory, 'hotledger-0.1.0.tgz'), '-C', program]);
    await symlink(join(root, 'node_modules'), join(program, 'package', 'node_modules'));
    const older = join(program, 'package', 'bin', 'hotledger.js');
    const config = join(directory, 'config.json');
    const { stdout } = await execute(process.execPath, [older, 'replay', '--config', config, '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ state: { equal: true } });
  },
  300_000,
);
