/**
 * Raft, section 7 and figure 13: snapshots, log compaction, InstallSnapshot. Where this program goes further than
 * figure 13 is said. Server 1 is the engine; the test speaks for the others.
 */
import { describe, expect, it } from 'vitest';
import { leaderOf, Lone, rejected } from '../lone.ts';
import {
  appendEntries,
  command,
  configurationEntry,
  configurationOf,
  heartbeat,
  idOf,
  installSnapshot,
  requestVote,
} from '../words.ts';

const three = configurationOf([1, 2, 3]);
const four = configurationOf([1, 2, 3], [4]);

function snapshotAt(last: readonly [number, number], term: number, configuration = three) {
  return installSnapshot({ from: 2, term, last, configuration });
}

describe('InstallSnapshot, receiver', () => {
  it('rule 1: a leader of an older term is refused', () => {
    const lone = new Lone({ terms: [1, 1], term: 5 });
    expect(lone.ask(2, snapshotAt([10, 3], 4), ['a'])).toMatchObject({ term: 5, success: false });
    expect(lone.status).toMatchObject({ lastIndex: 2, appliedIndex: 0 });
    expect(lone.effectsOf('restore')).toEqual([]);
  });

  it('rules 7 and 8: log and state give way to a snapshot that is ahead of them', () => {
    const lone = new Lone({ terms: [1, 1], term: 2 });
    lone.ask(2, appendEntries({ from: 2, term: 2, prev: [2, 1], commit: 2 }));
    expect(lone.ask(2, snapshotAt([10, 2], 2), ['a', 'b', 'c'])).toMatchObject({ term: 2, success: true });
    expect(lone.server.applied.map(({ text }) => text)).toEqual(['a', 'b', 'c']);
    expect(lone.status).toMatchObject({
      lastIndex: 10,
      lastTerm: 2,
      commitIndex: 10,
      appliedIndex: 10,
      durableIndex: 10,
    });
    expect(lone.server.disk.entries).toEqual([]);
  });

  it('what follows a snapshot follows its last entry', () => {
    const lone = new Lone({ terms: [] });
    lone.ask(2, snapshotAt([10, 2], 3), ['a']);
    expect(lone.ask(2, appendEntries({ from: 2, term: 3, prev: [11, 2] })).success).toBe(false);
    const request = appendEntries({ from: 2, term: 3, prev: [10, 2], entries: [command(11, 3, 'b')], commit: 11 });
    expect(lone.ask(2, request)).toMatchObject({ success: true });
    expect(lone.server.applied.map(({ text }) => text)).toEqual(['a', 'b']);
  });

  it('entries that begin before the snapshot and reach behind it are taken from behind it on', () => {
    const lone = new Lone({ terms: [] });
    lone.ask(2, snapshotAt([10, 2], 3), ['a']);
    const entries = [command(9, 2), command(10, 2), command(11, 3)];
    expect(lone.ask(2, appendEntries({ from: 2, term: 3, prev: [8, 2], entries })).success).toBe(true);
    expect(lone.server.disk.entries).toEqual([entries[2]]);
  });

  it('its configuration is the one in force, and is known to be committed', () => {
    const lone = new Lone({ terms: [] });
    lone.ask(2, installSnapshot({ from: 2, term: 3, last: [10, 2], configuration: four, configurationIndex: 7 }), [
      'a',
    ]);
    expect(lone.status.configuration).toEqual({ index: 7, configuration: four });
    expect(lone.status.committedConfiguration).toEqual({ index: 7, configuration: four });
  });

  it('an uncommitted configuration of the log that went is gone with it', () => {
    const entries = [configurationEntry(1, 1, three), configurationEntry(2, 1, configurationOf([1, 2, 3, 4, 5]))];
    const lone = new Lone({ entries });
    lone.ask(2, snapshotAt([10, 2], 2), ['a']);
    expect(lone.status.configuration).toEqual({ index: 1, configuration: three });
  });

  it('who takes one in knows the leader, and waits anew', () => {
    const lone = new Lone({ terms: [1] });
    lone.elapse(900);
    lone.ask(2, snapshotAt([10, 2], 2), ['a']);
    lone.elapse(900);
    expect(lone.status).toMatchObject({ role: 'follower', leader: { id: idOf(2) } });
  });

  it('survives a restart', () => {
    const lone = new Lone({ terms: [1] });
    lone.ask(2, snapshotAt([10, 2], 3, four), ['a', 'b']);
    lone.server.crash();
    lone.server.start();
    expect(lone.status).toMatchObject({ term: 3, lastIndex: 10, lastTerm: 2, commitIndex: 10, firstIndex: 11 });
    expect(lone.status.configuration.configuration).toEqual(four);
    expect(lone.ask(3, requestVote({ from: 3, term: 4, last: [9, 2] })).granted).toBe(false);
    expect(lone.ask(3, requestVote({ from: 3, term: 4, last: [10, 2] })).granted).toBe(true);
  });
});

describe('InstallSnapshot, what it must not do', () => {
  it('take back what was committed: a snapshot that is behind the state is answered, and changes nothing', () => {
    const lone = new Lone({ terms: [1, 1, 1, 1, 1] });
    lone.ask(2, appendEntries({ from: 2, term: 1, prev: [5, 1], commit: 4 }));
    const before = lone.server.applied.map(({ text }) => text);
    lone.ask(2, snapshotAt([3, 1], 1), ['x2', 'x3']);
    expect(lone.server.applied.map(({ text }) => text)).toEqual(before);
    expect(lone.status).toMatchObject({ commitIndex: 4, appliedIndex: 4 });
    expect(lone.status.lastIndex).toBeGreaterThanOrEqual(4);
  });

  it('the same snapshot twice is taken in once, or as if it were', () => {
    const lone = new Lone({ terms: [] });
    expect(lone.ask(2, snapshotAt([10, 2], 3), ['a']).success).toBe(true);
    lone.ask(2, appendEntries({ from: 2, term: 3, prev: [10, 2], entries: [command(11, 3, 'b')], commit: 11 }));
    expect(lone.ask(2, snapshotAt([10, 2], 3), ['a']).term).toBe(3);
    expect(lone.server.applied.map(({ text }) => text)).toEqual(['a', 'b']);
    expect(lone.status.lastIndex).toBe(11);
  });

  it('leave a conflicting entry at its last index in the log, or any behind it', () => {
    // Servers that keep such an entry refuse every append after the snapshot, for ever, and are sent it again, for ever.
    const lone = new Lone({ terms: [1, 1, 1, 1, 1, 1], term: 3 });
    expect(lone.ask(2, snapshotAt([4, 2], 3), ['a']).success).toBe(true);
    expect(lone.server.terms).toEqual([]);
    expect(lone.status).toMatchObject({ lastIndex: 4, lastTerm: 2 });
    const request = appendEntries({ from: 2, term: 3, prev: [4, 2], entries: [command(5, 3)], commit: 5 });
    expect(lone.ask(2, request)).toMatchObject({ success: true });
  });

  it('hold up heartbeats while it is written', () => {
    const lone = new Lone({ terms: [1], term: 2 });
    lone.ask(2, heartbeat({ from: 2, term: 2 }));
    lone.server.stallDisk();
    const ask = lone.send(2, snapshotAt([10, 2], 2), ['a']);
    for (let i = 0; i < 30; i++) {
      lone.elapse(300);
      expect(lone.ask(2, heartbeat({ from: 2, term: 2 })).success).toBe(true);
    }
    expect(lone.status).toMatchObject({ role: 'follower', term: 2 });
    lone.server.resumeDisk();
    expect(lone.answerTo(ask)).toMatchObject({ success: true });
  });

  it('be lost for the next: one that could not be read is answered no, and the next is taken in', () => {
    const lone = new Lone({ terms: [1], term: 2 });
    lone.server.failsToRestore = true;
    expect(lone.ask(2, snapshotAt([10, 2], 2), ['a'])).toMatchObject({ term: 2, success: false });
    expect(lone.status).toMatchObject({ lastIndex: 1, role: 'follower' });
    lone.server.failsToRestore = false;
    expect(lone.ask(2, snapshotAt([12, 2], 2), ['a', 'b'])).toMatchObject({ success: true });
    expect(lone.status).toMatchObject({ lastIndex: 12, appliedIndex: 12 });
  });

  it('meet another half way: what comes while one is being written is answered, each ask once', () => {
    const lone = new Lone({ terms: [1], term: 2 });
    lone.server.stallDisk();
    const asks = [
      lone.send(2, snapshotAt([10, 2], 2), ['a']),
      lone.send(2, snapshotAt([12, 2], 2), ['a', 'b']),
      lone.send(2, appendEntries({ from: 2, term: 2, prev: [12, 2], entries: [command(13, 2)] })),
      lone.send(2, appendEntries({ from: 2, term: 2, prev: [1, 1], entries: [command(2, 2)] })),
      lone.send(3, requestVote({ from: 3, term: 3, last: [20, 2] })),
    ];
    lone.server.resumeDisk();
    for (const ask of asks) expect(lone.answerTo(ask)).toBeDefined();
    expect(lone.status.lastIndex).toBeGreaterThanOrEqual(10);
    expect(lone.server.applied.length).toBeGreaterThan(0);
  });
});

describe('section 7, each server takes snapshots by itself', () => {
  it('what a snapshot holds may leave the log, a few entries apart for followers that are a little behind', () => {
    const lone = leaderOf({ terms: [1, 1, 1, 1, 1, 1] });
    lone.server.takeSnapshot();
    const { firstIndex, lastIndex } = lone.status;
    expect(lastIndex).toBe(7);
    // `trailingEntries` is 2.
    expect(firstIndex).toBeGreaterThan(4);
    expect(firstIndex).toBeLessThanOrEqual(6);
    expect(lone.server.disk.firstIndex).toBe(firstIndex);
    expect(lone.effectsOf('compact')).toHaveLength(1);
  });

  it('an old one, or one of nothing, drops nothing', () => {
    const lone = leaderOf({ terms: [1] });
    lone.server.takeSnapshot();
    expect(lone.status.firstIndex).toBe(1);
    expect(lone.status.lastIndex).toBe(2);
  });

  it('terms before what was dropped are still known where an election needs them', () => {
    const lone = new Lone({ terms: [1, 1, 1, 1], limits: { trailingEntries: 0 } });
    lone.ask(2, appendEntries({ from: 2, term: 1, prev: [4, 1], commit: 4 }));
    lone.server.takeSnapshot();
    expect(lone.status).toMatchObject({ firstIndex: 5, lastIndex: 4, lastTerm: 1 });
    expect(lone.ask(2, appendEntries({ from: 2, term: 1, prev: [4, 1], entries: [command(5, 1)] })).success).toBe(true);
    lone.server.crash();
    lone.server.start();
    expect(lone.status).toMatchObject({ firstIndex: 5, lastIndex: 5, lastTerm: 1 });
  });
});

describe('section 7, a follower that lacks what the leader has dropped', () => {
  function behind(): Lone {
    const lone = leaderOf({ terms: [1, 1, 1, 1, 1, 1], limits: { trailingEntries: 0 } });
    lone.server.takeSnapshot();
    lone.propose('w1');
    lone.acknowledge(2);
    const [call] = lone.appends(3);
    if (!call) throw new Error('a follower is sent to');
    lone.answer(call, rejected(2, 1));
    return lone;
  }

  it('is sent the snapshot, on a channel of its own', () => {
    const lone = behind();
    const [call] = lone.calls('installSnapshot', 3);
    expect(call).toMatchObject({ channel: 'snapshot', when: 'now' });
    expect(call?.request).toMatchObject({ term: 2, lastIndex: 7, lastTerm: 2, configuration: three });
    expect(lone.status.followers.find(({ id }) => id === idOf(3))?.state).toBe('snapshot');
  });

  it('is sent no entries meanwhile, and one snapshot at a time', () => {
    const lone = behind();
    lone.propose('w2', 'w3');
    lone.acknowledge(2);
    for (let ms = 0; ms < 3000; ms += 10) {
      lone.elapse(10);
      lone.acknowledge(2);
      for (const call of lone.heartbeats(3)) {
        lone.answer(call, { kind: 'appendEntries', term: 2, lastIndex: 1, success: true, noRetryBackoff: false });
      }
    }
    expect(lone.calls('installSnapshot', 3)).toHaveLength(1);
    expect(lone.appends(3)).toEqual([]);
  });

  it('goes on with the log behind it', () => {
    const lone = behind();
    const [call] = lone.calls('installSnapshot', 3);
    if (!call) throw new Error('a snapshot is sent');
    lone.answer(call, { kind: 'installSnapshot', term: 2, success: true });
    expect(lone.appends(3)[0]?.request).toMatchObject({ prevIndex: 7, prevTerm: 2 });
    lone.acknowledge(3);
    expect(lone.status.followers.find(({ id }) => id === idOf(3))).toMatchObject({ matchIndex: 8 });
  });

  it.each(['unreachable', 'timeout', 'no'] as const)('is sent it again after %s, not at once', (how) => {
    const lone = behind();
    let sent = 0;
    for (let ms = 0; ms < 10_000; ms += 10) {
      for (const call of lone.calls('installSnapshot', 3)) {
        sent++;
        if (how === 'no') lone.answer(call, { kind: 'installSnapshot', term: 2, success: false });
        else lone.fail(call, how);
      }
      lone.acknowledge(2);
      for (const call of lone.appends(3)) lone.answer(call, rejected(2, 1));
      lone.elapse(10);
    }
    expect(sent).toBeGreaterThan(1);
    expect(sent).toBeLessThan(100);
  });

  it('whose answer was lost is asked whether it has it, before it is sent it again', () => {
    const lone = behind();
    const [call] = lone.calls('installSnapshot', 3);
    if (!call) throw new Error('a snapshot is sent');
    lone.fail(call, 'timeout');
    lone.elapseUntil(() => lone.appends(3).length + lone.calls('installSnapshot', 3).length > 0);
    expect(lone.appends(3)[0]?.request).toMatchObject({ prevIndex: 7, prevTerm: 2 });
    lone.acknowledge(3);
    expect(lone.calls('installSnapshot', 3)).toEqual([]);
    expect(lone.status.followers.find(({ id }) => id === idOf(3))).toMatchObject({ matchIndex: 8, state: 'pipeline' });
  });

  it('that answers with a newer term makes a follower of the leader', () => {
    const lone = behind();
    const [call] = lone.calls('installSnapshot', 3);
    if (!call) throw new Error('a snapshot is sent');
    lone.answer(call, { kind: 'installSnapshot', term: 8, success: false });
    expect(lone.status).toMatchObject({ role: 'follower', term: 8 });
  });
});
