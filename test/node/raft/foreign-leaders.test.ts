/** A server that another cluster was given by mistake takes nothing from it, and loses nothing in its own by that. */
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

async function propose({ server }: TestServer, count: number, name: string): Promise<void> {
  for (let i = 0; i < count; i++) expect(await server.propose(utf8(`${name} ${i}`))).toMatchObject({ ok: true });
}

async function leads({ id, server }: TestServer): Promise<void> {
  await eventually(`${id} leads`, () => {
    const { commitIndex, lastIndex, role } = server.status();
    return role === 'leader' && commitIndex === lastIndex && commitIndex > 1;
  });
}

/** A cluster of its own, whose operator adds this server. */
async function otherClusterWith(id: string): Promise<TestServer> {
  const other = await cluster.start('x', ['x']);
  await leads(other);
  await propose(other, 5, 'other');
  expect(await other.server.changeConfiguration({ kind: 'addNonvoter', id, address: id })).toMatchObject({ ok: true });
  return other;
}

async function hasRefused({ id, refusals }: TestServer, times = 1): Promise<void> {
  const before = refusals.length;
  await eventually(`${id} has refused it`, () => {
    const since = refusals.slice(before).filter(({ code }) => code === 'raft-foreign-history');
    return since.length >= times;
  });
}

/** The disk takes nothing until the server has given its leadership up. */
async function stallUntilItYields({ server, store }: TestServer): Promise<void> {
  const batch = store.batch.bind(store);
  const waiting: (() => void)[] = [];
  let isStalled = true;
  store.batch = async (...args) => {
    if (isStalled) await new Promise<void>((resolve) => waiting.push(resolve));
    await batch(...args);
  };
  const stuck = server.propose(utf8('stuck'));
  await eventually('it leads no longer', () => server.status().role !== 'leader');
  isStalled = false;
  for (const resume of waiting) resume();
  await stuck;
}

test('a lone voter leads again after its disk has stalled, while another cluster wants to lead it and afterwards', async () => {
  const lone = await cluster.start('a', ['a']);
  await leads(lone);
  await propose(lone, 3, 'own');
  const other = await otherClusterWith('a');
  await hasRefused(lone);
  expect(lone.server.status().foreign).toMatchObject({ code: 'raft-foreign-history', details: { from: 'x' } });
  await stallUntilItYields(lone);
  await leads(lone);
  await hasRefused(lone);
  await other.stop();
  await stallUntilItYields(lone);
  await leads(lone);
  await propose(lone, 3, 'own');
  expect(lone.machine.count).toBeGreaterThanOrEqual(6);
});

test('one that is led by its own cluster follows on, and takes the lead over when it is to', async () => {
  for (const id of ['a', 'b']) await cluster.start(id, ['a', 'b']);
  const leader = await cluster.leader();
  const follower = [...cluster.servers.values()].find(({ id }) => id !== leader.id)!;
  await propose(leader, 3, 'own');
  await otherClusterWith(follower.id);
  await hasRefused(follower, 3);
  expect(follower.server.status()).toMatchObject({ foreign: null, leader: { id: leader.id } });
  await propose(leader, 3, 'own');
  expect(await leader.server.transfer(follower.id)).toMatchObject({ ok: true });
  await leads(follower);
  await hasRefused(follower);
  await propose(follower, 3, 'own');
  expect(follower.server.status().foreign).toBeNull();
  await eventually('both have all', () => leader.machine.count === 9 && leader.machine.hash === follower.machine.hash);
});

test('one that was alone when another cluster came obeys nobody until a leader shows it its own history', async () => {
  const ids = ['a', 'b', 'c'];
  for (const id of ids) await cluster.start(id, ids);
  const first = await cluster.leader();
  await propose(first, 3, 'own');
  await eventually('all have it', () => [...cluster.servers.values()].every(({ machine }) => machine.count === 3));
  for (const id of ids) await cluster.servers.get(id)?.stop();
  await otherClusterWith('a');
  const early = await cluster.start('a');
  await eventually('it knows', () => early.server.status().foreign !== null);
  for (const id of ['b', 'c']) await cluster.start(id);
  const leader = await eventually('one of the others leads', () =>
    [...cluster.servers.values()].find(({ id, server }) => id !== 'x' && server.status().role === 'leader'),
  );
  expect(leader.id).not.toBe('a');
  await leads(leader);
  await propose(leader, 3, 'own');
  await eventually('it follows again', () => early.machine.count === 6 && early.server.status().foreign === null);
  expect(await leader.server.transfer('a')).toMatchObject({ ok: true });
  await leads(early);
});
