/** `hotledger devnet --consensus raft --validators 3`, as its user runs it. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import type { DevnetSummary } from '../../src/cli/devnet/summary.ts';
import { LAUNCHER } from '../e2e/harness.ts';
import { temporaryDirectory } from '../node/directory.ts';

async function devnet(directory: string): Promise<DevnetSummary> {
  const network = ['--consensus', 'raft', '--validators', '3', '--dir', join(directory, 'net')];
  const argv = [LAUNCHER, 'devnet', ...network, '--duration', '8s', '--speed', '600', '--json'];
  const { stdout } = await promisify(execFile)(process.execPath, argv);
  return JSON.parse(stdout) as DevnetSummary;
}

test('a devnet under Raft lives, agrees, loses nothing, and goes on from its data when it is started again', async () => {
  const directory = await temporaryDirectory();
  const first = await devnet(directory);
  expect(first).toMatchObject({ ok: true, problems: [], missing: [], events: { unanswered: 0 } });
  expect(first.processes.filter(({ role }) => role === 'validator')).toHaveLength(3);
  expect(first.events.acknowledged).toBeGreaterThanOrEqual(20);

  const second = await devnet(directory);
  expect(second).toMatchObject({ ok: true, problems: [], chainId: first.chainId });
  expect(second.commonHeight ?? 0).toBeGreaterThan(first.commonHeight ?? 0);
});
