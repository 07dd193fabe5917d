import { describe, expect, it } from 'vitest';
import { Cluster } from './cluster.ts';

describe('a leader', () => {
  it('that hears no majority steps down within its lease, and those who wait are told', () => {
    const cluster = Cluster.started({ voters: 3 });
    const leader = cluster.waitForLeader();
    cluster.run(500);
    cluster.partition([leader]);
    const [proposal] = cluster.propose(leader, 'lost perhaps') as [number];
    const read = cluster.readIndex(leader);
    cluster.run(700);
    expect(cluster.status(leader)).toMatchObject({ role: 'follower', leader: null });
    expect(cluster.outcomes.get(proposal)).toEqual({ kind: 'refused', code: 'leadership-lost' });
    expect(cluster.outcomes.get(read)).toEqual({ kind: 'refused', code: 'leadership-lost' });
    const [late] = cluster.propose(leader, 'too late') as [number];
    expect(cluster.outcomes.get(late)).toEqual({ kind: 'refused', code: 'not-leader' });
  });

  it('that hears half of two others leads on', () => {
    const cluster = Cluster.started({ voters: 3 });
    const leader = cluster.waitForLeader();
    const other = cluster.ids.find((id) => id !== leader) as string;
    const { term } = cluster.status(leader);
    cluster.crash(other);
    cluster.run(60_000);
    expect(cluster.status(leader)).toMatchObject({ role: 'leader', term });
  });

  it('is heard on any channel: lost heartbeats alone depose nobody while entries flow', () => {
    const cluster = Cluster.started({ voters: 3 });
    const leader = cluster.waitForLeader();
    const { term } = cluster.status(leader);
    cluster.lose('heartbeats', ({ channel }) => channel === 'heartbeat');
    for (let i = 0; i < 50; i++) {
      cluster.propose(leader, `c${i}`);
      cluster.run(100);
    }
    expect(cluster.status(leader)).toMatchObject({ role: 'leader', term });
  });

  it('whose disk stands still leads no longer than an election timeout, and another one does', () => {
    const cluster = Cluster.started({ voters: 3 });
    const old = cluster.waitForLeader();
    cluster.run(500);
    cluster.stallDisk(old);
    const [proposal] = cluster.propose(old, 'stalled') as [number];
    const stalledAtMs = cluster.nowMs;
    cluster.runUntil('another one leads', () => ![old, undefined].includes(cluster.leader()), 5000);
    expect(cluster.nowMs - stalledAtMs).toBeLessThan(4000);
    expect(cluster.status(old)).toMatchObject({ role: 'follower' });
    // A majority of others had it before.
    expect(cluster.outcomes.get(proposal)).toMatchObject({ kind: 'proposed' });
    const leader = cluster.waitForLeader();
    cluster.propose(leader, 'goes on');
    cluster.runUntil('it is committed', () => cluster.commands(leader).includes('goes on'));
    cluster.run(30_000);
    expect(cluster.status(old).role).toBe('follower');
    cluster.resumeDisk(old);
    cluster.runUntil('it has caught up', () => cluster.commands(old).includes('goes on'));
  });

  it('that is the only voter asks for no time while nothing happens', () => {
    const cluster = Cluster.started({ voters: 1 });
    cluster.waitForLeader();
    cluster.run(10);
    expect(cluster.engine('A').wakeAtMs()).toBeUndefined();
  });

  it('sends heartbeats that Go takes the short way with, ten in a heartbeat timeout at most', () => {
    const cluster = Cluster.started({ voters: 2 });
    const leader = cluster.waitForLeader();
    cluster.run(1000);
    cluster.server(leader).effects = [];
    cluster.run(10_000);
    const calls = cluster.server(leader).effects.filter((effect) => effect.kind === 'call');
    const beats = calls.filter(({ channel }) => channel === 'heartbeat');
    expect(beats.length).toBeGreaterThanOrEqual(50);
    expect(beats.length).toBeLessThanOrEqual(100);
    for (const { request } of beats)
      expect(request).toMatchObject({
        entries: null,
        prevIndex: 0,
        prevTerm: 0,
        commitIndex: 0,
        leader: `${leader}:1`,
      });
  });

  it('does not flood a follower that answers no heartbeat', () => {
    const cluster = Cluster.started({ voters: 3, callTimeoutMs: 60_000 });
    const leader = cluster.waitForLeader();
    const silent = cluster.ids.find((id) => id !== leader) as string;
    cluster.run(1000);
    cluster.server(leader).effects = [];
    cluster.lose('answers', ({ from, isAnswer }) => isAnswer && from === silent);
    cluster.run(20_000);
    const beats = cluster
      .server(leader)
      .effects.filter((effect) => effect.kind === 'call' && effect.to === silent && effect.channel === 'heartbeat');
    expect(beats.length).toBeLessThanOrEqual(4 + 20);
    expect(beats.length).toBeGreaterThan(10);
  });
});
