import { afterEach, beforeEach, expect, test } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import { eventually, TestCluster, type TestServer } from './cluster.ts';

let cluster: TestCluster;

beforeEach(async () => {
  cluster = await TestCluster.make();
});

afterEach(async () => {
  await cluster.stop();
});

const THREE = ['a', 'b', 'c'];

async function three(): Promise<TestServer> {
  for (const id of THREE) await cluster.start(id, THREE);
  return cluster.leader();
}

async function proposeAll(leader: TestServer, count: number): Promise<void> {
  const outcomes = await Promise.all(
    Array.from({ length: count }, (_, i) => leader.server.propose(utf8(`value ${i}`))),
  );
  expect(outcomes.filter(({ ok }) => !ok)).toEqual([]);
}

async function allEqual(count: number): Promise<void> {
  await eventually(`${count} commands everywhere`, () =>
    [...cluster.servers.values()].every(({ machine }) => machine.count === count),
  );
  expect(new Set([...cluster.servers.values()].map(({ machine }) => machine.hash)).size).toBe(1);
}

test('three servers elect a leader, commit what it is given, and all apply the same', async () => {
  const leader = await three();
  const outcome = await leader.server.propose(utf8('hello'));
  expect(outcome).toEqual({ ok: true, value: { index: expect.any(Number), outcome: 1 } });
  await proposeAll(leader, 2000);
  await allEqual(2001);
});
