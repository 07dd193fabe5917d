/** A Raft cluster of real processes with the ledger on top: what a reader at any member sees of what was acknowledged. */
import { expect, test } from 'vitest';
import { unwrap } from '../../src/base/result.ts';
import type { LightReader } from '../../src/node/light-reader.ts';
import { eventually } from '../eventually.ts';
import { TestNetwork } from './harness.ts';
import { lightReader } from './history.ts';
import { authors, Submitters } from './load.ts';
import { raftLeaderOf } from './raft-leader.ts';

const FRESH = { maxAgeMs: 60_000, timeoutMs: 20_000 };
const ANY_AGE = { maxAgeMs: undefined, timeoutMs: 5_000 };

test('a read that takes no old answer sees at any member what was acknowledged before; without a majority there is none', async () => {
  const network = await TestNetwork.make({ validators: 3, observers: 0, consensus: 'raft' });
  const members = network.names();
  await network.startNodes(members);
  const leader = await raftLeaderOf(network, members);
  const readers = new Map<string, LightReader>();
  for (const name of members) readers.set(name, await lightReader(network, [name], 'crash-only'));
  const submitters = new Submitters(network);
  const [author] = authors(network.chainId, 1);
  const { peerId } = author!.key;

  for (let i = 0; i < 8; i++) {
    const { height, seq } = await submitters.acknowledged(leader, author!.next());
    for (const [name, reader] of readers) {
      const report = unwrap(await reader.read(peerId, FRESH));
      expect(report, name).toMatchObject({ trust: 'crash-only', lastSeq: seq, height });
      expect(report.ageMs, name).toBeGreaterThanOrEqual(0);
    }
  }

  const [left, ...gone] = members.filter((name) => name !== leader).concat(leader);
  await network.kill(...gone);
  const alone = readers.get(left!)!;
  const refused = await eventually('it hears no leader', async () => {
    const read = await alone.read(peerId, { ...FRESH, timeoutMs: 6_000 });
    return read.ok ? undefined : read.refusal;
  });
  expect(refused.code).toBe('not-leader');
  expect(unwrap(await alone.read(peerId, ANY_AGE))).toMatchObject({ ageMs: null, trust: 'crash-only' });
});
