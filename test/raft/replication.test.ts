import { describe, expect, it } from 'vitest';
import type { RaftEffect } from '../../src/raft/contract.ts';
import type { AppendEntriesRequest } from '../../src/raft/messages.ts';
import { Cluster } from './cluster.ts';
import { engineOn, diskWith, votersNamed } from './memory-disk.ts';

interface Sent {
  readonly to: string;
  readonly request: AppendEntriesRequest;
}

/** Requests with or without entries, heartbeats apart. */
function appends(effects: readonly RaftEffect[]): Sent[] {
  return effects.flatMap((effect) =>
    effect.kind === 'call' && effect.request.kind === 'appendEntries' && effect.request.entries !== null
      ? [{ to: effect.to, request: effect.request }]
      : [],
  );
}

function indexes({ request }: Sent): number[] {
  return request.entries?.map(({ index }) => index) ?? [];
}

function settled(options: ConstructorParameters<typeof Cluster>[0]) {
  const cluster = Cluster.started(options);
  const leader = cluster.waitForLeader();
  const [follower, other] = cluster.ids.filter((id) => id !== leader) as [string, string];
  cluster.run(1050);
  cluster.server(leader).effects = [];
  return { cluster, leader, follower, other, effects: () => cluster.server(leader).effects };
}

describe('a leader sends', () => {
  it('entries before its own disk has them, in one request to each and one write', () => {
    const { cluster, leader } = settled({ voters: 3 });
    const effects = cluster.step(leader, {
      kind: 'propose',
      proposals: [1, 2, 3].map((number) => ({ number, type: 0, data: null })),
    });
    expect(effects.map(({ kind }) => kind)).toEqual(['call', 'call', 'persist', 'proposed', 'proposed', 'proposed']);
    const [toOne, toOther] = appends(effects) as [Sent, Sent];
    expect(indexes(toOne)).toHaveLength(3);
    expect(toOther.request.entries).toBe(toOne.request.entries);
  });

  it('as many requests as the window takes, and the rest together when answers come', () => {
    const { cluster, leader, follower, effects } = settled({ voters: 3, limits: { maxInFlight: 2 } });
    for (let i = 0; i < 6; i++) cluster.propose(leader, `c${i}`);
    const sent = (): number[][] =>
      appends(effects())
        .filter(({ to }) => to === follower)
        .map(indexes);
    expect(sent()).toHaveLength(2);
    cluster.run(20);
    expect(
      sent()
        .slice(0, 3)
        .map(({ length }) => length),
    ).toEqual([1, 1, 4]);
  });

  it('as many bytes as the window takes, and one request whatever its size', () => {
    const { cluster, leader, follower, effects } = settled({ voters: 3, limits: { maxInFlightBytes: 100 } });
    for (let i = 0; i < 3; i++) cluster.propose(leader, 'x'.repeat(200));
    expect(appends(effects()).filter(({ to }) => to === follower)).toHaveLength(1);
    cluster.runUntil('all have it', () => cluster.ids.every((id) => cluster.commands(id).length === 3));
  });

  it('requests of at most so many entries and bytes', () => {
    const { cluster, leader, effects } = settled({ voters: 3, limits: { maxAppendEntries: 4, maxAppendBytes: 200 } });
    cluster.propose(leader, ...Array.from({ length: 10 }, (_, index) => `${index}`));
    cluster.run(50);
    for (const sent of appends(effects())) expect(indexes(sent).length).toBeLessThanOrEqual(3);
    expect(cluster.commands(leader)).toHaveLength(10);
  });

  it('the commit index without entries when nothing else is to be said', () => {
    const { cluster, leader, follower, effects } = settled({ voters: 3 });
    cluster.propose(leader, 'x');
    cluster.runUntil('the follower has applied it', () => cluster.commands(follower).includes('x'), 200);
    const empty = appends(effects()).filter((sent) => sent.to === follower && indexes(sent).length === 0);
    expect(empty[0]?.request).toMatchObject({ entries: [], commitIndex: cluster.status(leader).commitIndex });
  });

  it('it again now and then, for whoever was started anew and does not know it any more', () => {
    const { cluster, leader, follower, effects } = settled({ voters: 3 });
    cluster.propose(leader, 'x');
    cluster.run(1000);
    cluster.restart(follower);
    expect(cluster.commands(follower)).toEqual([]);
    cluster.runUntil('it knows it again', () => cluster.commands(follower).includes('x'), 2100);
    cluster.run(1000);
    cluster.server(leader).effects = [];
    cluster.run(20_000);
    expect(appends(effects()).filter(({ to }) => to === follower).length).toBeLessThanOrEqual(20);
  });

  it('again from where it knows after a failure, one request at a time until one is answered', () => {
    const { cluster, leader, follower, effects } = settled({ voters: 3 });
    cluster.lose('entries', ({ to, channel }) => to === follower && channel === 'log');
    for (let i = 0; i < 5; i++) cluster.propose(leader, `c${i}`);
    cluster.run(4000);
    const state = () => cluster.status(leader).followers.find(({ id }) => id === follower);
    expect(state()?.state).toBe('probe');
    cluster.server(leader).effects = [];
    cluster.run(3000);
    expect(appends(effects()).filter(({ to }) => to === follower).length).toBeLessThanOrEqual(3);
    cluster.heal();
    cluster.runUntil(
      'it has caught up',
      () => state()?.state === 'pipeline' && cluster.commands(follower).length === 5,
    );
  });

  it('back to where a long divergence begins, a term at a time', () => {
    const configuration = votersNamed('A', 'B', 'C');
    const long = Array.from({ length: 500 }, () => 2);
    const cluster = new Cluster({ voters: 3 });
    cluster.server('A').disk.entries = diskWith({ configuration, log: [1, ...long] }).entries;
    cluster.server('A').disk.hardState = { term: 3, votedFor: null };
    for (const id of ['B', 'C']) {
      cluster.server(id).disk.entries = diskWith({ configuration, log: [1, 3, 3] }).entries;
      cluster.server(id).disk.hardState = { term: 3, votedFor: null };
    }
    for (const id of cluster.ids) cluster.start(id);
    const leader = cluster.waitForLeader();
    expect(leader).not.toBe('A');
    cluster.runUntil(
      'A has the same log',
      () => cluster.status('A').lastIndex === cluster.status(leader).lastIndex,
      500,
    );
    cluster.compareLogs();
  });

  it('everything anew to a server that has lost what it had', () => {
    const { cluster, leader, follower } = settled({ voters: 3 });
    cluster.propose(leader, 'a', 'b');
    cluster.run(100);
    cluster.crash(follower);
    cluster.server(follower).disk.entries = [];
    cluster.server(follower).listed.add(leader);
    cluster.start(follower);
    cluster.runUntil('it is there again', () => cluster.commands(follower).includes('b'));
  });
});

describe('a leader accepts', () => {
  it('as many proposals as fit, and says busy to the rest, which are certainly not written', () => {
    const { cluster, leader } = settled({ voters: 3, limits: { maxUncommittedEntries: 3 } });
    const numbers = cluster.propose(leader, 'a', 'b', 'c', 'd', 'e');
    const codes = numbers.map((number) => {
      const outcome = cluster.outcomes.get(number);
      return outcome?.kind === 'refused' ? outcome.code : outcome?.kind;
    });
    expect(codes).toEqual(['proposed', 'proposed', 'proposed', 'busy', 'busy']);
    cluster.run(100);
    cluster.propose(leader, 'f');
    cluster.runUntil('it goes on', () => cluster.commands(leader).join('') === 'abcf');
  });

  it('as many bytes as fit', () => {
    const { cluster, leader } = settled({ voters: 3, limits: { maxUncommittedBytes: 300 } });
    const numbers = cluster.propose(leader, 'x'.repeat(200), 'y'.repeat(200), 'z');
    expect(numbers.map((number) => cluster.outcomes.get(number)?.kind)).toEqual(['proposed', 'proposed', 'refused']);
  });

  it('no entries of types that are not proposed', () => {
    const { cluster, leader } = settled({ voters: 3 });
    const proposals = [{ number: 77, type: 6 as 0, data: null }];
    cluster.step(leader, { kind: 'propose', proposals });
    expect(cluster.outcomes.get(77)).toEqual({ kind: 'refused', code: 'raft-entry-type' });
  });
});

describe('a follower', () => {
  it('takes no more entries while its disk owes too many bytes, and they come again', () => {
    const { cluster, leader, follower } = settled({ voters: 3, limits: { maxUncommittedBytes: 2000 } });
    cluster.stallDisk(follower);
    for (let i = 0; i < 40; i++) {
      cluster.propose(leader, 'x'.repeat(200));
      cluster.run(20);
    }
    const { lastIndex, durableIndex } = cluster.status(follower);
    expect((lastIndex - durableIndex) * 264).toBeLessThan(2000 + 264 + 264);
    cluster.resumeDisk(follower);
    cluster.runUntil('it has all', () => cluster.commands(follower).length === cluster.commands(leader).length);
  });

  it('refuses what contradicts itself, and writes nothing of it', () => {
    const { cluster, leader, follower } = settled({ voters: 3 });
    const { term, lastIndex, lastTerm } = cluster.status(leader);
    const entry = { index: lastIndex + 2, term, type: 0, data: null, extensions: null, appendedAt: undefined } as const;
    const effects = cluster.inject(leader, follower, {
      kind: 'appendEntries',
      protocolVersion: 3,
      sender: { id: leader, address: `${leader}:1` },
      term,
      leader: `${leader}:1`,
      prevIndex: lastIndex,
      prevTerm: lastTerm,
      entries: [entry],
      commitIndex: 0,
    });
    expect(effects).toMatchObject([
      { kind: 'answer', response: { success: false, noRetryBackoff: false } },
      { kind: 'refused', refusal: { code: 'raft-request-malformed' } },
    ]);
  });
});

it('the same inputs give the same effects, byte for byte', () => {
  const run = (): string => {
    const cluster = Cluster.started({ voters: 3, seed: 7 });
    const leader = cluster.waitForLeader();
    cluster.propose(leader, 'a', 'b');
    cluster.run(300);
    cluster.crash(leader);
    cluster.propose(cluster.waitForLeader(), 'c');
    cluster.run(3000);
    return JSON.stringify(cluster.servers.map(({ effects }) => effects));
  };
  expect(run()).toBe(run());
});

it('another seed waits another time', () => {
  const waits = [1, 2, 3].map((seed) => {
    const engine = engineOn(diskWith({ configuration: votersNamed('A', 'B') }), 'A', { seed });
    engine.step({ kind: 'started' }, 0);
    return engine.wakeAtMs();
  });
  expect(new Set(waits).size).toBe(3);
});
