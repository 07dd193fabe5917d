import { describe, expect, it } from 'vitest';
import type { RaftEffect } from '../../src/raft/contract.ts';
import { Cluster } from './cluster.ts';
import { diskWith, engineOn, votersNamed } from './memory-disk.ts';

type CallEffect = Extract<RaftEffect, { kind: 'call' }>;

const HEADER = { protocolVersion: 3, sender: { id: null, address: null } };

function standing(cluster: Cluster): string[] {
  return cluster.up.filter(({ id }) => cluster.status(id).role.endsWith('candidate')).map(({ id }) => id);
}

/** Server A of A, B and C, with what it asks for. */
function serverA(log: readonly number[] = []) {
  const engine = engineOn(diskWith({ configuration: votersNamed('A', 'B', 'C'), log }), 'A');
  let nowMs = 0;
  engine.step({ kind: 'started' }, nowMs);
  const wake = (): readonly RaftEffect[] => engine.step({ kind: 'tick' }, (nowMs = engine.wakeAtMs() ?? nowMs));
  const calls = (effects: readonly RaftEffect[]): CallEffect[] => effects.filter((effect) => effect.kind === 'call');
  return { engine, wake, calls, at: () => nowMs };
}

describe('an election', () => {
  it('is begun with a pre-vote after one to two heartbeat timeouts, and one timer is all that a follower asks for', () => {
    const { engine, wake, calls, at } = serverA();
    const dueMs = engine.wakeAtMs() ?? 0;
    expect(dueMs).toBeGreaterThan(1000);
    expect(dueMs).toBeLessThanOrEqual(2001);
    expect(engine.step({ kind: 'tick' }, dueMs - 1)).toEqual([]);
    const asked = calls(wake());
    expect(asked.map(({ to, channel, when, request }) => [to, channel, when, request.kind])).toEqual([
      ['B', 'election', 'now', 'preVote'],
      ['C', 'election', 'now', 'preVote'],
    ]);
    expect(engine.status()).toMatchObject({ role: 'precandidate', term: 1, leader: null });
    expect(at()).toBe(dueMs);
  });

  it('counts a closed connection as a pre-vote, and no other failure', () => {
    const { engine, wake, calls, at } = serverA();
    const [toB, toC] = calls(wake());
    engine.step({ kind: 'callFailed', call: toB?.call ?? 0, failure: 'unreachable' }, at());
    expect(engine.status().role).toBe('precandidate');
    const effects = engine.step({ kind: 'callFailed', call: toC?.call ?? 0, failure: 'closed' }, at());
    expect(engine.status()).toMatchObject({ role: 'candidate', term: 2 });
    expect(effects.map(({ kind }) => kind)).toEqual(['persist', 'call', 'call']);
    expect(calls(effects).map(({ when, request }) => [when, request.kind])).toEqual([
      ['durable', 'requestVote'],
      ['durable', 'requestVote'],
    ]);
  });

  it('does not count one’s own vote before it is durable', () => {
    const { engine, wake, calls, at } = serverA();
    const [toB] = calls(wake());
    const granted = { kind: 'preVote', term: 2, granted: true } as const;
    const [vote] = calls(engine.step({ kind: 'answered', call: toB?.call ?? 0, response: granted }, at()));
    engine.step(
      { kind: 'answered', call: vote?.call ?? 0, response: { kind: 'requestVote', term: 2, granted: true } },
      at(),
    );
    expect(engine.status().role).toBe('candidate');
    engine.step({ kind: 'persisted', persist: 1 }, at());
    expect(engine.status().role).toBe('leader');
  });

  it('is won on TimeoutNow without a pre-vote, and its votes say why', () => {
    const { engine, calls, at } = serverA();
    const request = { kind: 'timeoutNow', ...HEADER } as const;
    const effects = engine.step({ kind: 'asked', ask: 1, from: 'B', isListed: false, request }, at());
    expect(calls(effects).map(({ request }) => request)).toMatchObject([
      { kind: 'requestVote', term: 2, isTransfer: true },
      { kind: 'requestVote', term: 2, isTransfer: true },
    ]);
    expect(effects[0]).toEqual({ kind: 'answer', ask: 1, when: 'now', response: { kind: 'timeoutNow' } });
  });

  it('is not begun by a server that somebody else than its leader tells to stand', () => {
    const cluster = Cluster.started({ voters: 3 });
    const leader = cluster.waitForLeader();
    const [one, other] = cluster.ids.filter((id) => id !== leader) as [string, string];
    cluster.run(100);
    cluster.inject(one, other, { kind: 'timeoutNow', ...HEADER });
    expect(cluster.refusals).toEqual([{ by: other, from: one, code: 'raft-not-the-leader' }]);
    cluster.inject('Z', other, { kind: 'timeoutNow', ...HEADER });
    expect(cluster.refusals.at(-1)).toEqual({ by: other, from: 'Z', code: 'raft-stranger' });
    expect(standing(cluster)).toEqual([]);
  });

  it('follows within two election timeouts when a leader is gone, twenty times in a row', () => {
    const cluster = Cluster.started({ voters: 3, seed: 3 });
    const took: number[] = [];
    for (let i = 0; i < 20; i++) {
      const leader = cluster.waitForLeader();
      cluster.run(300);
      const crashedAtMs = cluster.nowMs;
      cluster.crash(leader);
      cluster.waitForLeader();
      took.push(cluster.nowMs - crashedAtMs);
      cluster.start(leader);
    }
    const median = took.sort((a, b) => a - b)[10] ?? Infinity;
    expect(median).toBeLessThan(2000);
  });

  it('is not disturbed by a server that was cut off for an hour', () => {
    const cluster = Cluster.started({ voters: 3 });
    const leader = cluster.waitForLeader();
    const { term } = cluster.status(leader);
    const away = cluster.ids.find((id) => id !== leader) as string;
    cluster.partition(
      cluster.ids.filter((id) => id !== away),
      [away],
    );
    cluster.run(3_600_000);
    cluster.heal();
    cluster.run(5000);
    expect(cluster.status(leader)).toMatchObject({ role: 'leader', term });
    expect(cluster.status(away)).toMatchObject({ term, leader: { id: leader } });
  });

  it('ends although the votes were split', () => {
    const cluster = new Cluster({ voters: 4, latencyMs: 0, diskMs: 0 });
    // All have the same patience: they stand in the same millisecond, again and again, until chance parts them.
    for (const { id } of cluster.servers) cluster.start(id);
    expect(cluster.waitForLeader()).toBeDefined();
  });

  it('gives nobody a vote who knows no configuration, unless the operator lists him', () => {
    const engine = engineOn(diskWith({}), 'A');
    engine.step({ kind: 'started' }, 0);
    const request = { kind: 'requestVote', ...HEADER, term: 3, candidate: 'B:1', lastIndex: 4, lastTerm: 2 } as const;
    const ask = { kind: 'asked', from: 'B', request: { ...request, isTransfer: false } } as const;
    expect(engine.step({ ...ask, ask: 1, isListed: false }, 0)).toMatchObject([
      { kind: 'answer', when: 'now', response: { granted: false, term: 0 } },
      { kind: 'refused', from: 'B', refusal: { code: 'raft-stranger' } },
    ]);
    expect(engine.step({ ...ask, ask: 2, isListed: true }, 0)).toMatchObject([
      { kind: 'persist', hardState: { term: 3, votedFor: 'B:1' } },
      { kind: 'answer', when: 'durable', response: { granted: true, term: 3 } },
    ]);
  });
});

describe('a server whose disk stands still', () => {
  it('does not stand, and does when it works again', () => {
    const cluster = Cluster.started({ voters: 3 });
    const leader = cluster.waitForLeader();
    const [one, other] = cluster.ids.filter((id) => id !== leader) as [string, string];
    cluster.stallDisk(one);
    cluster.stallDisk(other);
    cluster.propose(leader, 'never committed by them');
    cluster.run(3000);
    cluster.crash(leader);
    cluster.run(60_000);
    expect(standing(cluster)).toEqual([]);
    cluster.resumeDisk(one);
    cluster.resumeDisk(other);
    cluster.waitForLeader();
  });
});
