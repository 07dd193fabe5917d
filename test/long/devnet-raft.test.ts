/** `hotledger devnet --consensus raft --validators 3`, as its user runs it. */
import { expect, test } from 'vitest';
import { devnet } from '../e2e/devnets.ts';
import { temporaryDirectory } from '../node/directory.ts';

const OF_RAFT = ['--consensus', 'raft', '--validators', '3'];

test('a devnet under Raft lives, agrees, loses nothing, and goes on from its data when it is started again', async () => {
  const directory = await temporaryDirectory();
  const first = await devnet(directory, ...OF_RAFT);
  expect(first).toMatchObject({ ok: true, problems: [], missing: [], events: { unanswered: 0 } });
  expect(first.processes.filter(({ role }) => role === 'validator')).toHaveLength(3);
  expect(first.events.acknowledged).toBeGreaterThanOrEqual(20);

  const second = await devnet(directory, ...OF_RAFT);
  expect(second).toMatchObject({ ok: true, problems: [], chainId: first.chainId });
  expect(second.commonHeight ?? 0).toBeGreaterThan(first.commonHeight ?? 0);
});
