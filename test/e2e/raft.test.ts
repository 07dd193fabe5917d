/** A Raft cluster of real processes with the ledger on top: what a reader at any member sees of what was acknowledged. */
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { unwrap } from '../../src/base/result.ts';
import { neverVotedMark } from '../../src/node/keys.ts';
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

test('a majority that lost its disks begins no cluster of its own, and follows the one who kept the log', async () => {
  const network = await TestNetwork.make({ validators: 3, observers: 0, consensus: 'raft' });
  const members = network.names();
  const mark = (name: string) => neverVotedMark(join(network.node(name).directory, 'masa_oracle_key'));
  expect(members.map((name) => existsSync(mark(name)))).toEqual([true, true, true]);
  await network.startNodes(members);
  const [kept = '', ...lost] = members;
  const first = await raftLeaderOf(network, members);
  expect(members.map((name) => existsSync(mark(name)))).toEqual([false, false, false]);
  const submitters = new Submitters(network);
  const [author] = authors(network.chainId, 1);
  const before = await submitters.acknowledged(first, author!.next());
  await network.level(members, before.height ?? 0);
  await network.kill(...members);

  for (const name of lost) await rm(network.node(name).dataDirectory, { recursive: true });
  await network.startNodes(lost);
  // Several times what a member waits before it stands for election.
  await sleep(5_000);
  for (const name of lost) {
    expect(await network.process(name).control.raftReport()).toMatchObject({ leader: null, servers: [], lastIndex: 0 });
  }
  await network.startNodes([kept]);
  const after = await submitters.acknowledged(await raftLeaderOf(network, members), author!.next());
  expect(after.height ?? 0).toBeGreaterThan(before.height ?? 0);
  await network.level(members, after.height ?? 0);
});
