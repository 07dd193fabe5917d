import { describe, expect, it } from 'vitest';
import type { InstallSnapshotRequest } from '../../src/raft/messages.ts';
import { Cluster, type ClusterOptions } from './cluster.ts';
import { configurationEntry, configurationOf, diskWith, engineOn, entryOf, votersNamed } from './memory-disk.ts';

function settled(options: ClusterOptions) {
  const cluster = Cluster.started(options);
  const leader = cluster.waitForLeader();
  cluster.run(1050);
  const [follower, other] = cluster.ids.filter((id) => id !== leader) as [string, string];
  return { cluster, leader, follower, other };
}

function snapshotOf(leader: string, term: number, last: readonly [number, number]): InstallSnapshotRequest {
  return {
    kind: 'installSnapshot',
    protocolVersion: 3,
    sender: { id: leader, address: `${leader}:1` },
    term,
    leader: `${leader}:1`,
    lastIndex: last[0],
    lastTerm: last[1],
    configuration: votersNamed('A', 'B', 'C'),
    configurationIndex: 1,
    sizeBytes: 10,
  };
}

describe('a snapshot of one’s own state', () => {
  it('lets the log go, but for the entries that are kept behind it', () => {
    const { cluster, leader } = settled({ voters: 3, limits: { trailingEntries: 3 } });
    cluster.propose(leader, ...'abcdefgh');
    cluster.run(200);
    const { lastIndex } = cluster.snapshot(leader);
    expect(cluster.status(leader)).toMatchObject({ lastIndex, firstIndex: lastIndex - 2 });
    expect(cluster.server(leader).disk.firstIndex).toBe(lastIndex - 2);
    expect(cluster.engine(leader).entry(lastIndex - 3)).toBeUndefined();
  });

  it('that is older than the last one changes nothing', () => {
    const { cluster, leader } = settled({ voters: 1, limits: { trailingEntries: 0 } });
    const old = cluster.snapshot(leader);
    cluster.propose(leader, 'a');
    cluster.run(100);
    cluster.snapshot(leader);
    expect(cluster.step(leader, { kind: 'snapshotTaken', snapshot: old })).toEqual([]);
  });

  it('is begun with after a restart, and the log goes on behind it', () => {
    const { cluster, leader } = settled({ voters: 1, limits: { trailingEntries: 1 } });
    cluster.propose(leader, ...'abc');
    cluster.run(100);
    cluster.snapshot(leader);
    cluster.propose(leader, 'd');
    cluster.run(100);
    cluster.restart(leader);
    cluster.run(100);
    expect(cluster.commands(leader)).toEqual([...'abcd']);
  });
});

describe('a follower that lacks what its leader has let go', () => {
  it('is sent the snapshot, then what follows, and keeps no gap', () => {
    const { cluster, leader, follower } = settled({ voters: 3, limits: { trailingEntries: 2 } });
    cluster.crash(follower);
    cluster.propose(leader, ...'abcdefgh');
    cluster.run(200);
    cluster.snapshot(leader);
    cluster.propose(leader, 'i');
    cluster.server(leader).effects = [];
    cluster.start(follower);
    cluster.runUntil('it has all', () => cluster.commands(follower).join('') === 'abcdefghi');
    const sent = cluster
      .server(leader)
      .effects.filter((effect) => effect.kind === 'call' && effect.channel === 'snapshot');
    expect(sent).toHaveLength(1);
    expect(sent[0]).toMatchObject({ when: 'now', to: follower, request: { kind: 'installSnapshot', sizeBytes: 0 } });
    cluster.compareLogs();
  });

  it('is sent it again when it could not be taken, with a pause', () => {
    const { cluster, leader, follower } = settled({ voters: 3, limits: { trailingEntries: 0 } });
    cluster.crash(follower);
    cluster.propose(leader, ...'abc');
    cluster.run(200);
    cluster.snapshot(leader);
    cluster.server(follower).refusesSnapshots = { code: 'snapshot-malformed', message: 'no', details: {} };
    cluster.start(follower);
    cluster.server(leader).effects = [];
    cluster.run(5000);
    expect(cluster.refusals).toContainEqual({ by: follower, from: leader, code: 'snapshot-malformed' });
    const sent = cluster
      .server(leader)
      .effects.filter((effect) => effect.kind === 'call' && effect.channel === 'snapshot');
    expect(sent.length).toBeGreaterThan(2);
    expect(sent.length).toBeLessThan(20);
    cluster.server(follower).refusesSnapshots = null;
    cluster.runUntil('it has all', () => cluster.commands(follower).join('') === 'abc');
  });

  it('whose log conflicts at the end of the snapshot loses that log, and is sent the snapshot once', () => {
    const configuration = votersNamed('A', 'B', 'C');
    const cluster = new Cluster({ voters: 3, limits: { trailingEntries: 0 } });
    const [a, b, c] = cluster.servers.map(({ disk }) => disk);
    if (a === undefined || b === undefined || c === undefined) throw new Error('three servers');
    const committed = [
      configurationEntry(1, 1, configuration),
      entryOf(2, 1, 'x'),
      entryOf(3, 3, 'y'),
      entryOf(4, 3, 'z'),
    ];
    for (const disk of [a, b]) {
      disk.entries = [...committed];
      disk.hardState = { term: 3, votedFor: null };
    }
    // C led term 2 for a moment: its entries 3 to 6 were never committed.
    c.entries = [...committed.slice(0, 2), ...[3, 4, 5, 6].map((index) => entryOf(index, 2, 'lost'))];
    c.hardState = { term: 2, votedFor: 'C:1' };
    cluster.start('A');
    cluster.start('B');
    const leader = cluster.waitForLeader();
    cluster.run(100);
    cluster.snapshot(leader);
    cluster.server(leader).effects = [];
    cluster.start('C');
    cluster.runUntil('C has the same', () => cluster.commands('C').join('') === 'xyz');
    cluster.run(5000);
    const sent = cluster
      .server(leader)
      .effects.filter((effect) => effect.kind === 'call' && effect.channel === 'snapshot');
    expect(sent).toHaveLength(1);
    cluster.compareLogs();
  });
});

describe('a server that is sent a snapshot', () => {
  const configuration = votersNamed('A', 'B', 'C');

  function follower(log: readonly number[]) {
    const engine = engineOn(diskWith({ configuration, log }), 'A');
    engine.step({ kind: 'started' }, 0);
    let ask = 0;
    const send = (request: InstallSnapshotRequest) =>
      engine.step({ kind: 'asked', ask: ++ask, from: 'B', isListed: false, request }, 10);
    return { engine, send };
  }

  it('takes it when it is ahead, answers when it is there, and heartbeats in the meantime', () => {
    const { engine, send } = follower([1, 1]);
    const effects = send(snapshotOf('B', 1, [9, 1]));
    expect(effects.find(({ kind }) => kind === 'restore')).toMatchObject({ ask: 1, snapshot: { lastIndex: 9 } });
    expect(effects.some(({ kind }) => kind === 'answer')).toBe(false);
    const header = { protocolVersion: 3, sender: { id: 'B', address: 'B:1' }, term: 1, leader: 'B:1' };
    const beat = {
      kind: 'appendEntries',
      ...header,
      prevIndex: 0,
      prevTerm: 0,
      entries: null,
      commitIndex: 0,
    } as const;
    expect(engine.step({ kind: 'asked', ask: 7, from: 'B', isListed: false, request: beat }, 20)).toMatchObject([
      { kind: 'answer', when: 'now', response: { success: true } },
    ]);
    const append = { ...beat, prevIndex: 3, prevTerm: 1, entries: [entryOf(4, 1)] };
    expect(engine.step({ kind: 'asked', ask: 8, from: 'B', isListed: false, request: append }, 20)).toMatchObject([
      { kind: 'answer', response: { success: false, noRetryBackoff: false } },
    ]);
    expect(send(snapshotOf('B', 1, [10, 1]))).toMatchObject([{ kind: 'answer', response: { success: false } }]);
    const snapshot = { lastIndex: 9, lastTerm: 1, configuration: { index: 1, configuration } };
    expect(engine.step({ kind: 'restored', snapshot }, 30)).toMatchObject([
      { kind: 'configurationChanged', isCommitted: true },
      { kind: 'answer', ask: 1, response: { kind: 'installSnapshot', success: true, term: 1 } },
    ]);
    expect(engine.status()).toMatchObject({
      firstIndex: 10,
      lastIndex: 9,
      lastTerm: 1,
      commitIndex: 9,
      appliedIndex: 9,
    });
  });

  it('says yes, and changes nothing, when its log holds the whole of it', () => {
    const { engine, send } = follower([1, 1, 1]);
    const effects = send(snapshotOf('B', 1, [3, 1]));
    expect(effects.some(({ kind }) => kind === 'restore')).toBe(false);
    expect(effects.find(({ kind }) => kind === 'answer')).toMatchObject({
      when: 'durable',
      response: { success: true },
    });
    expect(engine.status()).toMatchObject({ lastIndex: 4, commitIndex: 3 });
  });

  it('takes the whole of one that ends where its log ends, from a listed leader that its configuration does not know', () => {
    const { engine } = follower([1, 1, 1]);
    const ask = (number: number, lastIndex: number) =>
      engine
        .step(
          { kind: 'asked', ask: number, from: 'D', isListed: true, request: snapshotOf('D', 1, [lastIndex, 1]) },
          10,
        )
        .map(({ kind }) => kind);
    expect(ask(1, 3)).not.toContain('restore');
    expect(ask(2, 4)).toContain('restore');
  });

  it('says yes, and changes nothing, when it has let that part of its log go already', () => {
    const { cluster, leader } = settled({ voters: 1, limits: { trailingEntries: 0 } });
    cluster.propose(leader, ...'abc');
    cluster.run(100);
    cluster.snapshot(leader);
    cluster.crash(leader);
    const engine = engineOn(cluster.server(leader).disk, 'A');
    engine.step({ kind: 'started' }, 0);
    const request = { ...snapshotOf('A', 9, [3, 1]), sender: { id: null, address: null } };
    const effects = engine.step({ kind: 'asked', ask: 1, from: 'A', isListed: true, request }, 0);
    expect(effects.map(({ kind }) => kind)).not.toContain('restore');
    expect(effects.find(({ kind }) => kind === 'answer')).toMatchObject({ response: { success: true } });
  });

  it('refuses one of another history, and everything that follows it', () => {
    const { engine, send } = follower([1, 1]);
    send(snapshotOf('B', 1, [3, 1]));
    const codes = [snapshotOf('B', 2, [2, 2]), snapshotOf('B', 2, [50, 2])].map((request) =>
      send(request).flatMap((effect) => (effect.kind === 'refused' ? [effect.refusal.code] : [])),
    );
    expect(codes).toEqual([['raft-conflict-below-commit'], ['raft-conflict-below-commit']]);
    expect(engine.status().lastIndex).toBe(3);
  });

  it.each([
    ['has no voter', { configuration: configurationOf() }, 'raft-configuration-invalid'],
    ['has its configuration behind its end', { configurationIndex: 10 }, 'raft-request-malformed'],
    ['ends in a later term than its leader’s', { lastTerm: 2 }, 'raft-request-malformed'],
  ])('refuses one that %s', (_what, changes, code) => {
    const { send } = follower([1]);
    const effects = send({ ...snapshotOf('B', 1, [9, 1]), ...changes });
    expect(effects.find(({ kind }) => kind === 'refused')).toMatchObject({ refusal: { code } });
    expect(effects.find(({ kind }) => kind === 'answer')).toMatchObject({ response: { success: false } });
  });
});
