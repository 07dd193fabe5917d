import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { run } from '../cli/terminal.ts';
import { eventually } from '../eventually.ts';
import { copyOf } from '../node/migrate/directories.ts';
import { LAUNCHER } from '../e2e/harness.ts';

function started(config: string, ...flags: readonly string[]): { child: ChildProcess; told: Promise<string> } {
  const child = spawn(process.execPath, [LAUNCHER, 'start', '--config', config, ...flags], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  return { child, told: text(child.stderr) };
}

test('a node whose directory is of an older layout starts where it may migrate it first, with a backup', async () => {
  const { data, directory } = await copyOf('layout-1');
  const config = join(directory, 'config.json');
  const refused = started(config);
  expect(await once(refused.child, 'exit')).toEqual([1, null]);
  expect(await refused.told).toMatch(/layout-older.*start --migrate/s);
  expect(await readdir(data)).toEqual(['ledger']);

  const { child, told } = started(config, '--migrate');
  await eventually('the node answers', async () => {
    const status = await run(['status', '--config', config, '--json'], directory);
    return /"height": ?\d/.test(status.out) || undefined;
  });
  expect(await readdir(data)).toContain('ledger.layout-1');
  child.kill('SIGTERM');
  expect(await once(child, 'exit')).toEqual([0, null]);
  expect(await told).toMatch(/^hotledger: migrated 0002.*^hotledger: the data directory has layout \d+ now$/ms);
});
