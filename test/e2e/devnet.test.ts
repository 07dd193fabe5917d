/** `npm start`, as continuous integration runs it. */
import { expect, test } from 'vitest';
import { temporaryDirectory } from '../node/directory.ts';
import { devnet } from './devnets.ts';

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
