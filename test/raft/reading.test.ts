import { describe, expect, it } from 'vitest';
import { Cluster, type ClusterOptions } from './cluster.ts';

function settled(options: ClusterOptions) {
  const cluster = Cluster.started(options);
  const leader = cluster.waitForLeader();
  cluster.run(1050);
  const [follower, other] = cluster.ids.filter((id) => id !== leader) as [string, string];
  return { cluster, leader, follower, other };
}

describe('a read index', () => {
  it('is ready after one round trip to a majority, with what was committed when it was asked for', () => {
    const { cluster, leader } = settled({ voters: 3, latencyMs: 10 });
    cluster.propose(leader, 'a');
    cluster.run(100);
    const { commitIndex } = cluster.status(leader);
    const request = cluster.readIndex(leader);
    cluster.run(19);
    expect(cluster.outcomes.get(request)).toBeUndefined();
    cluster.run(1);
    expect(cluster.outcomes.get(request)).toEqual({ kind: 'ready', index: commitIndex });
  });

  it('is ready at once where there is no other voter', () => {
    const { cluster, leader } = settled({ voters: 1, nonvoters: 1 });
    expect(cluster.outcomes.get(cluster.readIndex(leader))?.kind).toBe('ready');
  });

  it('asks in rounds and not one by one', () => {
    const { cluster, leader } = settled({ voters: 3, latencyMs: 10 });
    cluster.server(leader).effects = [];
    const requests = Array.from({ length: 500 }, () => cluster.readIndex(leader));
    cluster.run(60);
    expect(requests.every((request) => cluster.outcomes.get(request)?.kind === 'ready')).toBe(true);
    expect(cluster.server(leader).effects.filter(({ kind }) => kind === 'call').length).toBeLessThan(20);
  });

  it('waits for the first entry of a new leader', () => {
    const cluster = Cluster.started({ voters: 3 });
    cluster.lose('entries', ({ channel }) => channel === 'log');
    cluster.runUntil('somebody leads', () => cluster.leader() !== undefined);
    const leader = cluster.leader() as string;
    const request = cluster.readIndex(leader);
    cluster.run(300);
    expect(cluster.status(leader).role).toBe('leader');
    expect(cluster.outcomes.get(request)).toBeUndefined();
    cluster.heal();
    cluster.runUntil('it is ready', () => cluster.outcomes.has(request), 2000);
    expect(cluster.outcomes.get(request)).toEqual({ kind: 'ready', index: 2 });
  });

  it('is never ready at a leader that was replaced and does not know', () => {
    const { cluster, leader } = settled({ voters: 3, timings: { leaseMs: 1000 } });
    cluster.partition([leader]);
    const request = cluster.readIndex(leader);
    cluster.run(20_000);
    expect(cluster.outcomes.get(request)).toEqual({ kind: 'refused', code: 'leadership-lost' });
  });

  it('is asked of the leader, whose name is in the refusal', () => {
    const { cluster, leader, follower } = settled({ voters: 3 });
    const effects = cluster.step(follower, { kind: 'readIndex', request: 9 });
    expect(effects).toMatchObject([
      { kind: 'unsettled', request: 9, refusal: { code: 'not-leader', details: { leader, address: `${leader}:1` } } },
    ]);
  });

  it('is refused when too many wait', () => {
    const { cluster, leader } = settled({ voters: 3, limits: { maxWaitingReads: 2 } });
    const requests = [1, 2, 3].map(() => cluster.readIndex(leader));
    expect(cluster.outcomes.get(requests[2] as number)).toEqual({ kind: 'refused', code: 'busy' });
    cluster.run(10);
    expect(cluster.outcomes.get(requests[1] as number)?.kind).toBe('ready');
  });

  it('is confirmed by what is sent anyway, under load', () => {
    const { cluster, leader } = settled({ voters: 3 });
    cluster.lose('heartbeats', ({ channel }) => channel === 'heartbeat');
    const request = cluster.readIndex(leader);
    cluster.propose(leader, 'x');
    cluster.run(20);
    expect(cluster.outcomes.get(request)?.kind).toBe('ready');
  });
});
