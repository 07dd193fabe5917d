import { describe, expect, it } from 'vitest';
import { Cluster } from './cluster.ts';

function appliedEverywhere(cluster: Cluster, text: string): boolean {
  return cluster.up.every(({ id }) => cluster.commands(id).includes(text));
}

describe('a cluster of engines', () => {
  it.each([1, 2, 3, 5, 7])('elects one leader of %i, and all apply what it is given', (voters) => {
    const cluster = Cluster.started({ voters });
    const leader = cluster.waitForLeader();
    const numbers = cluster.propose(leader, 'first', 'second');
    cluster.runUntil('all have applied both', () => appliedEverywhere(cluster, 'second'));
    expect(numbers.map((number) => cluster.outcomes.get(number)?.kind)).toEqual(['proposed', 'proposed']);
    for (const { id } of cluster.up) expect(cluster.commands(id)).toEqual(['first', 'second']);
  });
});
