import { describe, expect, it } from 'vitest';
import { Cluster, type ClusterOptions } from './cluster.ts';

function settled(options: ClusterOptions) {
  const cluster = Cluster.started(options);
  const leader = cluster.waitForLeader();
  cluster.run(1050);
  const [follower, other] = cluster.ids.filter((id) => id !== leader) as [string, string];
  return { cluster, leader, follower, other };
}

describe('leadership that is handed over', () => {
  it.each([1, 2, 3, 4, 5])('arrives under load, and nothing that was acknowledged is lost (seed %i)', (seed) => {
    const { cluster, leader, follower } = settled({ voters: 3, seed, latencyMs: 2, diskMs: 5 });
    const numbers: number[] = [];
    const load = (id: string): void => {
      numbers.push(...cluster.propose(id, ...Array.from({ length: 20 }, (_, index) => `${numbers.length + index}`)));
    };
    for (let i = 0; i < 20; i++) {
      load(leader);
      cluster.run(1);
    }
    const request = cluster.transfer(leader, follower);
    const began = cluster.nowMs;
    cluster.runUntil('it is handed over', () => {
      load(leader);
      return cluster.outcomes.has(request);
    });
    expect(cluster.outcomes.get(request)?.kind).toBe('settled');
    expect(cluster.nowMs - began).toBeLessThan(200);
    expect(cluster.waitForLeader()).toBe(follower);
    cluster.run(3000);
    const refusals = numbers
      .map((number) => cluster.outcomes.get(number))
      .filter((outcome) => outcome?.kind === 'refused');
    expect(new Set(refusals.map((outcome) => outcome?.kind === 'refused' && outcome.code))).toEqual(
      new Set(['transferring', 'not-leader']),
    );
    expect(cluster.commands(follower)).toHaveLength(numbers.length - refusals.length);
  });

  it('goes to the most advanced voter where nobody is named', () => {
    const { cluster, leader, follower, other } = settled({ voters: 3, nonvoters: 1 });
    cluster.lose('entries of one', ({ to, channel }) => to === other && channel === 'log');
    cluster.propose(leader, 'a');
    cluster.run(100);
    cluster.transfer(leader);
    cluster.runUntil('it is handed over', () => cluster.leader() === follower, 900);
  });

  it('is given up after an election timeout, and proposals are taken again', () => {
    const { cluster, leader, follower } = settled({ voters: 3 });
    cluster.lose('entries of one', ({ to, channel }) => to === follower && channel === 'log');
    cluster.propose(leader, 'a');
    cluster.run(100);
    const request = cluster.transfer(leader, follower);
    const [meanwhile] = cluster.propose(leader, 'b') as [number];
    expect(cluster.outcomes.get(meanwhile)).toEqual({ kind: 'refused', code: 'transferring' });
    const change = cluster.change(leader, { kind: 'removeServer', id: follower });
    expect(cluster.outcomes.get(change)).toEqual({ kind: 'refused', code: 'transferring' });
    cluster.run(1100);
    expect(cluster.outcomes.get(request)).toEqual({ kind: 'refused', code: 'transfer-failed' });
    const [afterwards] = cluster.propose(leader, 'c') as [number];
    expect(cluster.outcomes.get(afterwards)?.kind).toBe('proposed');
  });

  it('is given up at once when the other server cannot be reached', () => {
    const { cluster, leader, follower } = settled({ voters: 3 });
    cluster.crash(follower);
    const request = cluster.transfer(leader, follower);
    cluster.run(50);
    expect(cluster.outcomes.get(request)).toEqual({ kind: 'refused', code: 'transfer-failed' });
  });

  it.each([
    ['itself', 'A', 'raft-no-such-voter'],
    ['a non-voter', 'B', 'raft-no-such-voter'],
    ['nobody', 'Z', 'raft-no-such-voter'],
    ['whomever, where there is no other voter', null, 'raft-no-such-voter'],
  ])('cannot go to %s', (_who, to, code) => {
    const { cluster, leader } = settled({ voters: 1, nonvoters: 1 });
    expect(cluster.outcomes.get(cluster.transfer(leader, to))).toEqual({ kind: 'refused', code });
  });

  it('goes to one at a time, and by the leader only', () => {
    const { cluster, leader, follower, other } = settled({ voters: 3 });
    cluster.lose('all', () => true);
    cluster.transfer(leader, follower);
    expect(cluster.outcomes.get(cluster.transfer(leader, other))).toEqual({ kind: 'refused', code: 'transferring' });
    expect(cluster.outcomes.get(cluster.transfer(other, leader))).toEqual({ kind: 'refused', code: 'not-leader' });
  });
});
