import { readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import { unwrap } from '../../../src/base/result.ts';
import { LinearizableReads } from '../../../src/node/raft/linearizable-reads.ts';
import { DEFAULT_LIMITS } from '../../../src/raft/contract.ts';
import { eventually, TestCluster, type TestServer } from './cluster.ts';

let cluster: TestCluster;

beforeEach(async () => {
  cluster = await TestCluster.make({
    limits: { ...DEFAULT_LIMITS, trailingEntries: 20 },
  });
});

afterEach(async () => {
  await cluster.stop();
});

const THREE = ['a', 'b', 'c'];

async function three(): Promise<TestServer> {
  for (const id of THREE) await cluster.start(id, THREE);
  return cluster.leader();
}

async function alone(): Promise<TestServer> {
  const server = await cluster.start('a', ['a']);
  await cluster.leader();
  return server;
}

async function proposeAll({ server }: TestServer, count: number, name = 'value'): Promise<void> {
  const outcomes = await Promise.all(Array.from({ length: count }, (_, i) => server.propose(utf8(`${name} ${i}`))));
  expect(outcomes.filter(({ ok }) => !ok)).toEqual([]);
}

async function allEqual(count: number): Promise<void> {
  await eventually(`${count} commands everywhere`, () =>
    [...cluster.servers.values()].every(({ machine }) => machine.count === count),
  );
  expect(new Set([...cluster.servers.values()].map(({ machine }) => machine.hash)).size).toBe(1);
}

function addNonvoter({ server }: TestServer, id: string): Promise<unknown> {
  return server.changeConfiguration({ kind: 'addNonvoter', id, address: id });
}

async function promote({ server }: TestServer, id: string): Promise<void> {
  for (;;) {
    const outcome = await server.changeConfiguration({ kind: 'addVoter', id, address: id });
    if (outcome.ok) return;
    expect(outcome.refusal.code).toMatch(/^(not-caught-up|raft-configuration-pending)$/);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe('three servers', () => {
  test('elect a leader, commit what it is given, and all apply the same', async () => {
    const leader = await three();
    expect(await leader.server.propose(utf8('hello'))).toEqual({
      ok: true,
      value: { index: expect.any(Number), outcome: 1 },
    });
    await proposeAll(leader, 2000);
    await allEqual(2001);
  });

  test('go on without one of them, and it catches up when it comes back', async () => {
    const leader = await three();
    await proposeAll(leader, 10);
    const other = [...cluster.servers.values()].find(({ id }) => id !== leader.id)!;
    await other.stop();
    await proposeAll(leader, 200);
    await cluster.start(other.id);
    await allEqual(210);
  });

  test('one that was away longer than the log reaches back takes a snapshot', async () => {
    const leader = await three();
    await proposeAll(leader, 10);
    const away = [...cluster.servers.values()].find(({ id }) => id !== leader.id)!;
    await away.stop();
    await proposeAll(leader, 200);
    expect((await leader.server.snapshot())?.lastIndex).toBe(leader.server.status().appliedIndex);
    await eventually('the log behind the snapshot is gone', () => leader.server.status().firstIndex > 100);
    await proposeAll(leader, 5);
    const back = await cluster.start(away.id);
    await allEqual(215);
    expect(back.machine.restores).toBe(1);
    expect(back.server.status().snapshot?.lastIndex).toBe(leader.server.status().snapshot?.lastIndex);
    // And it is one of them again, whatever happens next.
    await back.stop();
    await cluster.start(away.id);
    await proposeAll(leader, 5);
    await allEqual(220);
  });

  test('elect another leader when theirs is gone, and nothing that was acknowledged is lost', async () => {
    const first = await three();
    await proposeAll(first, 100);
    await first.stop();
    const second = await cluster.leader();
    await proposeAll(second, 100);
    await cluster.start(first.id);
    await allEqual(200);
  });

  test('hand leadership over, and the old leader then says who leads', async () => {
    const leader = await three();
    const next = [...cluster.servers.values()].find(({ id }) => id !== leader.id)!;
    expect(await leader.server.transfer(next.id)).toMatchObject({ ok: true });
    await eventually('the other one leads', () => next.server.status().role === 'leader');
    await eventually('it is known', () => leader.server.status().leader?.id === next.id);
    const refused = await leader.server.propose(utf8('too late'));
    expect(refused).toMatchObject({ ok: false, refusal: { code: 'not-leader', details: { leader: next.id } } });
  });

  test('serve a read index on any of them, once it is applied there', async () => {
    const leader = await three();
    await eventually('all know who leads', () =>
      [...cluster.servers.values()].every(({ server }) => server.status().leader?.id === leader.id),
    );
    await proposeAll(leader, 50);
    const { commitIndex } = leader.server.status();
    for (const { machine, server } of cluster.servers.values()) {
      const asked: string[] = [];
      const reads = new LinearizableReads({
        server: () => server,
        askLeader: (id) => {
          asked.push(id);
          return cluster.servers.get(id)!.server.readIndex();
        },
      });
      const index = unwrap(await reads.ready());
      expect(machine.count).toBe(50);
      expect(server.status().machineIndex).toBeGreaterThanOrEqual(index);
      expect(index).toBeGreaterThanOrEqual(commitIndex);
      expect(asked).toEqual(server === leader.server ? [] : [leader.id]);
    }
    expect(await leader.server.barrier()).toMatchObject({ ok: true });
  });
});

describe('a server alone', () => {
  test('leads at once, and finds its log, its state and its term after a restart', async () => {
    const first = await alone();
    await proposeAll(first, 100);
    const { hash } = first.machine;
    const { term } = first.server.status();
    await first.stop();
    const second = await cluster.start('a');
    expect([second.machine.count, second.machine.hash]).toEqual([100, hash]);
    await cluster.leader();
    expect(second.server.status().term).toBe(term + 1);
    await proposeAll(second, 1);
    expect(second.machine.count).toBe(101);
  });

  test('begins again from its snapshot and the log behind it', async () => {
    const first = await alone();
    await proposeAll(first, 100);
    await first.server.snapshot();
    expect(await first.server.snapshot()).toBeNull();
    await proposeAll(first, 30);
    await eventually('the log is cut', () => first.server.status().firstIndex > 1);
    await first.stop();
    const second = await cluster.start('a');
    await cluster.leader();
    expect(second.machine.count).toBe(130);
    expect(second.server.status().snapshot?.lastIndex).toBe(102);
  });

  test('takes others in: as one that does not vote, and as one that does once it has caught up', async () => {
    const leader = await alone();
    await proposeAll(leader, 300);
    await leader.server.snapshot();
    await cluster.start('b');
    expect(await addNonvoter(leader, 'b')).toMatchObject({ ok: true });
    await allEqual(300);
    await promote(leader, 'b');
    expect(leader.server.status().configuration.configuration.servers).toEqual([
      { id: 'a', address: 'a', suffrage: 'voter' },
      { id: 'b', address: 'b', suffrage: 'voter' },
    ]);
    cluster.network.cut('b');
    const waiting = leader.server.propose(utf8('needs both'));
    expect(await Promise.race([waiting, new Promise((resolve) => setTimeout(resolve, 100, 'waits'))])).toBe('waits');
    cluster.network.heal();
    expect(await waiting).toMatchObject({ ok: true });
  });

  test('makes another snapshot where the file of the newest is gone', async () => {
    const first = await alone();
    await proposeAll(first, 30);
    const gone = (await first.server.snapshot())!;
    await first.stop();
    const folder = join(cluster.directoryOf('a'), 'raft', 'snapshots');
    await rm(join(folder, gone.file));
    const second = await cluster.start('a');
    await cluster.leader();
    await eventually('there is another', () => readdirSync(folder).some((name) => name.endsWith('.state')));
    await cluster.start('b');
    await addNonvoter(second, 'b');
    await allEqual(30);
  });

  test('tells whoever waits when its disk fails, and does nothing more', async () => {
    const { server, fatal, store } = await alone();
    store.batch = () => Promise.reject(new Error('the disk is gone'));
    const waiting = [server.propose(utf8('x')), server.transfer('b')];
    expect(await waiting[0]).toMatchObject({ ok: false, refusal: { code: 'stopping' } });
    expect(await waiting[1]).toMatchObject({ ok: false });
    expect(fatal).toEqual([new Error('the disk is gone')]);
    expect(await server.propose(utf8('y'))).toMatchObject({ ok: false, refusal: { code: 'stopping' } });
    expect(await server.readIndex()).toMatchObject({ ok: false, refusal: { code: 'stopping' } });
  });

  test('begins no second cluster over its log', async () => {
    const server = await alone();
    await server.stop();
    await expect(cluster.start('a', ['a'])).rejects.toMatchObject({ code: 'raft-log-exists' });
  });

  test('tells whoever waits that it stops, and takes nothing more', async () => {
    const { server } = await alone();
    const waiting = server.propose(utf8('on its way'));
    const stopped = server.stop();
    expect(await waiting).toMatchObject({ ok: false, refusal: { code: 'stopping' } });
    await stopped;
    for (const answer of [server.propose(utf8('x')), server.barrier(), server.readIndex(), server.transfer(null)])
      expect(await answer).toMatchObject({ ok: false, refusal: { code: 'stopping' } });
  });
});
