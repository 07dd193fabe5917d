/** `npm start`, as continuous integration runs it. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { DevnetSummary } from '../../src/cli/devnet/summary.ts';
import { temporaryDirectory } from '../node/directory.ts';

const LAUNCHER = new URL('../../bin/hotledger.js', import.meta.url).pathname;

async function devnet(directory: string): Promise<DevnetSummary> {
  const argv = [LAUNCHER, 'devnet', '--dir', join(directory, 'net'), '--duration', '6s', '--speed', '600', '--json'];
  const { stdout } = await promisify(execFile)(process.execPath, argv);
  return JSON.parse(stdout) as DevnetSummary;
}

test('a devnet lives, agrees, loses nothing, and goes on from its data when it is started again', async () => {
  const directory = await temporaryDirectory();
  const first = await devnet(directory);
  expect(first).toMatchObject({ ok: true, problems: [], missing: [], events: { unanswered: 0 } });
  expect(first.processes.map(({ role }) => role)).toEqual([...Array<string>(4).fill('validator'), 'observer']);
  expect(first.events.acknowledged).toBeGreaterThanOrEqual(40);
  expect(first.reads.ok).toBeGreaterThan(40);

  const second = await devnet(directory);
  expect(second).toMatchObject({ ok: true, problems: [], chainId: first.chainId });
  expect(second.commonHeight ?? 0).toBeGreaterThan(first.commonHeight ?? 0);
});
