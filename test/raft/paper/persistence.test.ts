/**
 * Raft, figure 2: "Persistent state on all servers (updated on stable storage before responding to RPCs)" and
 * "Volatile state". Server 1 is the engine; its disk can be made to stand still, and to lose what it had not written.
 */
import { describe, expect, it } from 'vitest';
import { Lone } from '../lone.ts';
import {
  addressOf,
  appendEntries,
  command,
  heartbeat,
  installSnapshot,
  configurationOf,
  requestVote,
} from '../words.ts';

describe('persistent state, the vote', () => {
  it('is not given before it is durable', () => {
    const lone = new Lone({ terms: [1] });
    lone.server.stallDisk();
    const ask = lone.send(2, requestVote({ from: 2, term: 2, last: [1, 1] }));
    expect(lone.answerTo(ask)).toBeUndefined();
    lone.server.resumeDisk();
    expect(lone.answerTo(ask)).toMatchObject({ term: 2, granted: true });
  });

  it('given before a crash is remembered after it', () => {
    const lone = new Lone({ terms: [1] });
    lone.ask(2, requestVote({ from: 2, term: 2, last: [1, 1] }));
    lone.server.crash();
    lone.server.start();
    expect(lone.ask(3, requestVote({ from: 3, term: 2, last: [5, 1] }))).toMatchObject({ term: 2, granted: false });
    expect(lone.ask(2, requestVote({ from: 2, term: 2, last: [1, 1] }))).toMatchObject({ term: 2, granted: true });
  });

  it('that was never durable was never given, and may go to another', () => {
    const lone = new Lone({ terms: [1] });
    lone.server.stallDisk();
    const ask = lone.send(2, requestVote({ from: 2, term: 2, last: [1, 1] }));
    lone.server.crash();
    lone.server.isDiskStalled = false;
    lone.server.start();
    expect(lone.answerTo(ask)).toBeUndefined();
    expect(lone.ask(3, requestVote({ from: 3, term: 2, last: [1, 1] })).granted).toBe(true);
  });

  it('two candidates ask while it is written: one of them gets it', () => {
    const lone = new Lone({ terms: [1] });
    lone.server.stallDisk();
    const first = lone.send(2, requestVote({ from: 2, term: 2, last: [1, 1] }));
    const second = lone.send(3, requestVote({ from: 3, term: 2, last: [1, 1] }));
    lone.server.resumeDisk();
    expect(lone.answerTo(first)).toMatchObject({ granted: true });
    expect(lone.answerTo(second)).toMatchObject({ granted: false });
  });

  it('of a candidate for itself is durable before it asks others', () => {
    const lone = new Lone({ terms: [1] });
    lone.elapseUntil(() => lone.calls('preVote').length === 2);
    lone.server.stallDisk();
    for (const call of lone.calls('preVote')) {
      if (lone.status.role === 'precandidate') lone.answer(call, { kind: 'preVote', term: 1, granted: true });
    }
    expect(lone.calls('requestVote')).toEqual([]);
    lone.server.resumeDisk();
    expect(lone.calls('requestVote')).toHaveLength(2);
  });

  it('of a lone voter for itself is durable before anything comes of it', () => {
    const lone = new Lone({ terms: [1], configuration: configurationOf([1]), isDiskStalled: true });
    lone.elapse(2500);
    lone.propose('w1');
    lone.step({ kind: 'readIndex', request: 1 });
    expect(lone.status.commitIndex).toBe(0);
    expect(lone.effectsOf('readReady')).toEqual([]);
    lone.server.resumeDisk();
    lone.elapseUntil(() => lone.status.role === 'leader' && lone.status.commitIndex > 1);
  });
});

describe('persistent state, the term', () => {
  it.each([
    ['entries', appendEntries({ from: 2, term: 7, prev: [1, 1] })],
    ['entries that do not fit', appendEntries({ from: 2, term: 7, prev: [9, 6] })],
    ['a heartbeat', heartbeat({ from: 2, term: 7 })],
    ['a vote that is refused', requestVote({ from: 2, term: 7, last: [0, 0] })],
  ])('learned by %s is durable before the answer', (_by, request) => {
    const lone = new Lone({ terms: [1] });
    lone.server.stallDisk();
    const ask = lone.send(2, request);
    expect(lone.answerTo(ask)).toBeUndefined();
    lone.server.resumeDisk();
    expect(lone.answerTo(ask)).toMatchObject({ term: 7 });
    lone.server.crash();
    lone.server.start();
    expect(lone.status).toMatchObject({ term: 7, role: 'follower' });
  });

  it('that is durable already is answered with, whatever the disk does', () => {
    const lone = new Lone({ terms: [1], term: 2 });
    lone.ask(2, heartbeat({ from: 2, term: 2 }));
    lone.server.stallDisk();
    const waiting = lone.send(2, appendEntries({ from: 2, term: 2, prev: [1, 1], entries: [command(2, 2)] }));
    expect(lone.ask(2, heartbeat({ from: 2, term: 2 }))).toMatchObject({ term: 2, success: true });
    expect(lone.answerTo(waiting)).toBeUndefined();
  });

  it('new, without a vote, forgets the vote of the old one', () => {
    const lone = new Lone({ terms: [1], term: 2, votedFor: 3 });
    lone.ask(2, heartbeat({ from: 2, term: 3 }));
    expect(lone.server.disk.hardState).toEqual({ term: 3, votedFor: null });
  });

  it('the same, by a leader, keeps the vote', () => {
    const lone = new Lone({ terms: [1], term: 2, votedFor: 3 });
    lone.ask(2, heartbeat({ from: 2, term: 2 }));
    expect(lone.server.disk.hardState).toEqual({ term: 2, votedFor: addressOf(3) });
  });
});

describe('persistent state, the log', () => {
  it('is acknowledged when it is durable', () => {
    const lone = new Lone({ terms: [1], term: 2 });
    lone.server.stallDisk();
    const ask = lone.send(2, appendEntries({ from: 2, term: 2, prev: [1, 1], entries: [command(2, 2)] }));
    expect(lone.answerTo(ask)).toBeUndefined();
    lone.server.resumeDisk();
    expect(lone.answerTo(ask)).toMatchObject({ success: true });
  });

  it('sent a second time while it is written is acknowledged when it is durable, too', () => {
    const lone = new Lone({ terms: [1], term: 2 });
    lone.server.stallDisk();
    const request = appendEntries({ from: 2, term: 2, prev: [1, 1], entries: [command(2, 2)] });
    const first = lone.send(2, request);
    const second = lone.send(2, request);
    expect([lone.answerTo(first), lone.answerTo(second)]).toEqual([undefined, undefined]);
    lone.server.resumeDisk();
    expect(lone.answerTo(second)).toMatchObject({ success: true });
  });

  it('an empty request behind entries that are being written promises them, so it waits as well', () => {
    const lone = new Lone({ terms: [1], term: 2 });
    lone.server.stallDisk();
    lone.send(2, appendEntries({ from: 2, term: 2, prev: [1, 1], entries: [command(2, 2)] }));
    const ask = lone.send(2, appendEntries({ from: 2, term: 2, prev: [2, 2] }));
    expect(lone.answerTo(ask)).toBeUndefined();
    lone.server.resumeDisk();
    expect(lone.answerTo(ask)).toMatchObject({ success: true });
  });

  it('several requests that wait go to the disk in order and are answered in order', () => {
    const lone = new Lone({ terms: [1], term: 2 });
    lone.server.stallDisk();
    const asks = [2, 3, 4].map((index) =>
      lone.send(
        2,
        appendEntries({ from: 2, term: 2, prev: [index - 1, index === 2 ? 1 : 2], entries: [command(index, 2)] }),
      ),
    );
    lone.server.resumeDiskOnce();
    expect(lone.answerTo(asks[2]!)).toBeUndefined();
    lone.server.resumeDisk();
    for (const ask of asks) expect(lone.answerTo(ask)).toMatchObject({ success: true });
    expect(lone.server.disk.entries.map(({ index }) => index)).toEqual([1, 2, 3, 4]);
  });

  it('is what a restarted server has, and nothing of what was not durable', () => {
    const lone = new Lone({ terms: [1], term: 2 });
    lone.ask(2, appendEntries({ from: 2, term: 2, prev: [1, 1], entries: [command(2, 2)] }));
    lone.server.stallDisk();
    lone.send(2, appendEntries({ from: 2, term: 2, prev: [2, 2], entries: [command(3, 2)] }));
    lone.server.crash();
    lone.server.isDiskStalled = false;
    lone.server.start();
    expect(lone.status).toMatchObject({ lastIndex: 2, lastTerm: 2, durableIndex: 2, term: 2, role: 'follower' });
  });
});

describe('volatile state', () => {
  it('a restarted server knows neither a leader nor more committed than what it has applied', () => {
    const lone = new Lone({ terms: [1, 1, 1] });
    lone.ask(2, appendEntries({ from: 2, term: 1, prev: [3, 1], commit: 2 }));
    lone.server.crash();
    lone.server.start();
    expect(lone.status).toMatchObject({
      role: 'follower',
      leader: null,
      commitIndex: 2,
      appliedIndex: 2,
      lastIndex: 3,
    });
  });

  it('a server applies nothing twice over a restart', () => {
    const lone = new Lone({ terms: [1, 1, 1] });
    lone.ask(2, appendEntries({ from: 2, term: 1, prev: [3, 1], commit: 2 }));
    lone.server.crash();
    lone.server.start();
    lone.ask(2, appendEntries({ from: 2, term: 1, prev: [3, 1], commit: 3 }));
    expect(lone.server.applied.map(({ index }) => index)).toEqual([2, 3]);
  });
});

describe('persistent state, a snapshot that is being taken in', () => {
  it('is acknowledged when it is durable', () => {
    const lone = new Lone({ terms: [] });
    lone.server.stallDisk();
    const request = installSnapshot({ from: 2, term: 3, last: [10, 2], configuration: configurationOf([1, 2, 3]) });
    const ask = lone.send(2, request, ['a', 'b']);
    expect(lone.answerTo(ask)).toBeUndefined();
    lone.server.resumeDisk();
    expect(lone.answerTo(ask)).toMatchObject({ term: 3, success: true });
    expect(lone.server.applied.map(({ text }) => text)).toEqual(['a', 'b']);
  });
});
