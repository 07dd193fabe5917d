/** Logs that are not of one cluster are never merged, whoever adds whom; and a server that was away long is still one of its own. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import { sha256Hex } from '../../../src/base/hash.ts';
import { addVoter } from '../../../src/node/raft/adding-voters.ts';
import { DEFAULT_LIMITS } from '../../../src/raft/contract.ts';
import { eventually, TestCluster, type TestServer } from './cluster.ts';

let cluster: TestCluster;

const THREE = ['a', 'b', 'c'];

beforeEach(async () => {
  cluster = await TestCluster.make({ limits: { ...DEFAULT_LIMITS, trailingEntries: 10 } });
});

afterEach(async () => {
  await cluster.stop();
});

async function propose({ server }: TestServer, count: number, name: string): Promise<void> {
  for (let i = 0; i < count; i++) expect(await server.propose(utf8(`${name} ${i}`))).toMatchObject({ ok: true });
}

async function leads({ server }: TestServer): Promise<void> {
  await eventually('it leads', () => server.status().role === 'leader' && server.status().commitIndex > 1);
}

async function add({ server }: TestServer, id: string): Promise<void> {
  const outcome = await addVoter(server, id, id, 10_000, () => performance.now());
  expect(outcome).toMatchObject({ ok: true });
}

/** A leader that has just come to it changes nothing before its first entry is committed. */
async function remove({ server }: TestServer, id: string): Promise<void> {
  for (;;) {
    const outcome = await server.changeConfiguration({ kind: 'removeServer', id });
    if (outcome.ok) return;
    expect(outcome.refusal.code).toBe('raft-configuration-pending');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function isForeign({ id, server }: TestServer): Promise<void> {
  const refusal = await eventually(
    `${id} knows that it is of another history`,
    () => server.status().foreign ?? undefined,
  );
  expect(refusal.code).toBe('raft-foreign-history');
}

test('a server that began a cluster of its own is not merged into another one', async () => {
  const ours = await cluster.start('a', ['a']);
  const other = await cluster.start('x', ['x']);
  await leads(ours);
  await leads(other);
  await propose(ours, 20, 'ours');
  await propose(other, 5, 'other');
  const { hash } = other.machine;
  await ours.server.changeConfiguration({ kind: 'addNonvoter', id: 'x', address: 'x' });
  await isForeign(other);
  expect([other.machine.count, other.machine.hash]).toEqual([5, hash]);
  expect(other.server.status().history).toMatchObject({ origin: 'entry', shared: false });
  // The cluster itself goes on.
  await propose(ours, 5, 'ours');
  expect(ours.server.status().foreign).toBeNull();
});

test('nor by a snapshot, where nothing of the beginning is left in the log', async () => {
  const ours = await cluster.start('a', ['a']);
  const other = await cluster.start('x', ['x']);
  await leads(ours);
  await leads(other);
  await propose(ours, 40, 'ours');
  await propose(other, 5, 'other');
  await ours.server.snapshot();
  await eventually('the log is cut', () => ours.server.status().firstIndex > 10);
  const { hash } = other.machine;
  await ours.server.changeConfiguration({ kind: 'addNonvoter', id: 'x', address: 'x' });
  await isForeign(other);
  expect([other.machine.restores, other.machine.hash]).toEqual([0, hash]);
});

test('a server whose cluster was set up anew while it was away does not go on in the new log', async () => {
  for (const id of THREE) await cluster.start(id, THREE);
  const first = await cluster.leader();
  await propose(first, 10, 'first');
  await eventually('all have it', () => [...cluster.servers.values()].every(({ machine }) => machine.count === 10));
  for (const server of [...cluster.servers.values()]) await server.stop();
  // The same names, the same indexes, the same terms; other entries.
  for (const id of ['b', 'c']) await cluster.wipe(id);
  const again = await cluster.start('b', ['b']);
  await leads(again);
  await propose(again, 20, 'again');
  expect(again.server.status().term).toBe(2);
  const old = await cluster.start('a');
  expect(old.server.status().term).toBe(2);
  const { hash } = old.machine;
  await again.server.changeConfiguration({ kind: 'addNonvoter', id: 'a', address: 'a' });
  await isForeign(old);
  expect([old.machine.count, old.machine.hash]).toEqual([10, hash]);
});

/** Takes new servers in for all but the one that is away, and the old ones out. @returns the leader, one of the new ones */
async function replaceAllBut(away: string, first: TestServer): Promise<TestServer> {
  let leader = first;
  for (const id of ['d', 'e']) {
    await cluster.start(id);
    await add(leader, id);
  }
  for (const id of THREE.filter((id) => id !== away)) {
    leader = await cluster.leader();
    if (leader.id === id) {
      await leader.server.transfer('d');
      leader = await eventually('d leads', () => {
        const next = cluster.servers.get('d');
        return next?.server.status().role === 'leader' ? next : undefined;
      });
      await leads(leader);
    }
    await remove(leader, id);
    await cluster.servers.get(id)?.stop();
  }
  return cluster.leader();
}

async function three(): Promise<{ leader: TestServer; away: TestServer }> {
  for (const id of THREE) await cluster.start(id, THREE);
  const leader = await cluster.leader();
  const away = [...cluster.servers.values()].find(({ id }) => id !== leader.id)!;
  return { leader, away };
}

async function holdsAllOf(back: TestServer, leader: TestServer, count: number): Promise<void> {
  await eventually('it has all', () => back.machine.count === count && back.machine.hash === leader.machine.hash);
  await propose(leader, 1, 'after');
  await eventually('and what comes', () => back.machine.hash === leader.machine.hash);
}

test.each([
  ['by its log', 0],
  ['by a snapshot', 40],
])('a server that was down while all others were replaced is brought up to date %s', async (_, more) => {
  const { away, leader: first } = await three();
  await propose(first, 10, 'before');
  await eventually('it has them', () => away.machine.count === 10);
  await away.stop();
  const leader = await replaceAllBut(away.id, first);
  await propose(leader, more, 'meanwhile');
  if (more > 0) {
    await leader.server.snapshot();
    await eventually('the log is cut', () => leader.server.status().firstIndex > 20);
  }
  const back = await cluster.start(away.id);
  await holdsAllOf(back, leader, 10 + more);
  expect(back.machine.restores).toBe(more > 0 ? 1 : 0);
});

test.each([
  ['ends where its log ends', 0, 0, 1],
  ['is older than its log, which goes on with commands', 3, 0, 0],
  ['is older than its log, which goes on with what says nothing', 0, 2, 0],
])('and where the newest snapshot of the others %s', async (_, commands, barriers, restores) => {
  const { away, leader: first } = await three();
  await propose(first, 30, 'before');
  await first.server.snapshot();
  await eventually('the log is cut', () => first.server.status().firstIndex > 1);
  await propose(first, commands, 'behind the snapshot');
  for (let i = 0; i < barriers; i++) expect(await first.server.barrier()).toMatchObject({ ok: true });
  const { lastIndex } = first.server.status();
  await eventually('it has them', () => away.server.status().appliedIndex === lastIndex);
  await away.stop();
  const leader = await replaceAllBut(away.id, first);
  await propose(leader, 2, 'meanwhile');
  const back = await cluster.start(away.id);
  await holdsAllOf(back, leader, 30 + commands + 2);
  expect(back.machine.restores).toBe(restores);
  expect(cluster.network.snapshotsTo.get(back.id)).toBeLessThanOrEqual(2);
});

test('a server that only ever began with the others takes their snapshot and goes on behind it', async () => {
  const { away, leader } = await three();
  await away.stop();
  await cluster.wipe(away.id);
  cluster.network.cut(away.id);
  await (await cluster.start(away.id, THREE)).stop();
  await propose(leader, 40, 'before');
  await leader.server.snapshot();
  await eventually('the log is cut', () => leader.server.status().firstIndex > 10);
  cluster.network.heal();
  const back = await cluster.start(away.id);
  await holdsAllOf(back, leader, 40);
  expect(back.machine.restores).toBe(1);
  expect(back.server.status()).toMatchObject({ foreign: null, history: { shared: true } });
});

test('a server starts on no log but that of the history that its operator pins', async () => {
  const first = await cluster.start('a', ['a']);
  await leads(first);
  const { hash } = first.server.status().history!;
  await first.stop();
  await (await cluster.start('a', null, { pinnedHistory: hash })).stop();
  const other = sha256Hex(utf8('another'));
  await expect(cluster.start('a', null, { pinnedHistory: other })).rejects.toMatchObject({
    code: 'raft-foreign-log',
    details: { own: hash, pinned: other, ownServers: 'a=a' },
  });
});
