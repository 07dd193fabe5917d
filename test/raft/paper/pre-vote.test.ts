/**
 * Raft dissertation (Ongaro, 2014): 9.6 "Preventing disruptions when a server rejoins the cluster" (pre-vote) and 4.2.3
 * "Disruptive servers". Server 1 is the engine; the test speaks for the others.
 */
import { describe, expect, it } from 'vitest';
import { leaderOf, Lone } from '../lone.ts';
import { appendEntries, configurationOf, heartbeat, idOf, NO_CLAIM, preVote, requestVote } from '../words.ts';

const five = configurationOf([1, 2, 3, 4, 5]);

describe('9.6, who would stand asks first', () => {
  it('in the term that it would stand in, and neither its term nor its vote changes', () => {
    const lone = new Lone({ terms: [1, 2] });
    lone.elapseUntil(() => lone.status.role === 'precandidate');
    expect(lone.status.term).toBe(2);
    expect(lone.server.disk.hardState).toEqual({ term: 2, votedFor: null });
    expect(lone.calls('preVote').map(({ to, request, channel }) => [to, request, channel])).toEqual(
      [2, 3].map((to) => [idOf(to), preVote({ from: 1, term: 3, last: [2, 2] }), 'election']),
    );
  });

  it('and stands only when a majority would vote for it', () => {
    const lone = new Lone({ terms: [1], configuration: five });
    lone.elapseUntil(() => lone.status.role === 'precandidate');
    const [a, b, c] = lone.calls('preVote');
    if (!a || !b || !c) throw new Error('all are asked');
    lone.answer(a, { kind: 'preVote', term: 1, granted: true });
    lone.answer(b, { kind: 'preVote', term: 1, granted: false });
    expect(lone.status).toMatchObject({ role: 'precandidate', term: 1 });
    lone.answer(c, { kind: 'preVote', term: 1, granted: true });
    expect(lone.status).toMatchObject({ role: 'candidate', term: 2 });
  });

  it('a server that is cut off for an hour comes back in the term in which it left', () => {
    const lone = new Lone({ terms: [1], term: 6 });
    for (let minute = 0; minute < 60; minute++) {
      for (const call of lone.open.slice()) lone.fail(call, 'unreachable');
      lone.elapse(60_000);
    }
    expect(lone.status.term).toBe(6);
    expect(lone.effectsOf('persist')).toEqual([]);
    expect(lone.ask(2, heartbeat({ from: 2, term: 6 }))).toMatchObject({ term: 6, success: true });
    expect(lone.status.role).toBe('follower');
  });

  it('a precandidate that hears of a leader follows it', () => {
    const lone = new Lone({ terms: [1], term: 2 });
    lone.elapseUntil(() => lone.status.role === 'precandidate');
    lone.ask(3, appendEntries({ from: 3, term: 2, prev: [1, 1] }));
    expect(lone.status).toMatchObject({ role: 'follower', term: 2, leader: { id: idOf(3) } });
  });

  it('asks anew, after a while, whoever did not answer', () => {
    const lone = new Lone({ terms: [1] });
    lone.elapseUntil(() => lone.calls('preVote').length === 2);
    for (const call of lone.calls('preVote')) lone.fail(call, 'timeout');
    expect(lone.calls('preVote')).toEqual([]);
    lone.elapseUntil(() => lone.calls('preVote').length === 2, 4001);
  });
});

describe('9.6, who is asked', () => {
  it('says yes to a log as good as its own, and keeps term and vote', () => {
    const lone = new Lone({ terms: [1, 2] });
    expect(lone.ask(2, preVote({ from: 2, term: 3, last: [2, 2] }))).toMatchObject({ granted: true });
    expect(lone.ask(3, preVote({ from: 3, term: 3, last: [2, 2] }))).toMatchObject({ granted: true });
    expect(lone.status.term).toBe(2);
    expect(lone.effectsOf('persist')).toEqual([]);
  });

  it('says no to a term that is gone, and tells the present one', () => {
    const lone = new Lone({ terms: [1, 2], term: 5 });
    expect(lone.ask(2, preVote({ from: 2, term: 4, last: [9, 4] }))).toMatchObject({ term: 5, granted: false });
  });

  it('says no while it hears a leader, and yes when it has heard none for an election timeout', () => {
    const lone = new Lone({ terms: [1], term: 2 });
    lone.ask(2, heartbeat({ from: 2, term: 2 }));
    lone.elapse(500);
    expect(lone.ask(3, preVote({ from: 3, term: 3, last: [1, 1] })).granted).toBe(false);
    lone.elapseUntil(() => lone.status.role !== 'follower');
    expect(lone.ask(3, preVote({ from: 3, term: 3, last: [1, 1] })).granted).toBe(true);
  });

  it('answers always, while it follows, asks itself, stands or leads', () => {
    const lone = new Lone({ terms: [1] });
    const ask = () => lone.ask(2, preVote({ from: 2, term: lone.status.term + 1, last: [1, 1] }));
    expect(ask().kind).toBe('preVote');
    lone.elapseUntil(() => lone.status.role === 'precandidate');
    expect(ask().granted).toBe(true);
    lone.stand();
    expect(ask().kind).toBe('preVote');
    lone.win();
    expect(ask().granted).toBe(false);
  });

  it('a leader says no, and leads on', () => {
    const lone = leaderOf({ terms: [1] });
    expect(lone.ask(2, preVote({ from: 2, term: 9, last: [9, 8] })).granted).toBe(false);
    expect(lone.status).toMatchObject({ role: 'leader', term: 2 });
  });
});

describe('versions that know no pre-vote', () => {
  it('close the connection, which counts as a yes: else no mixed cluster elects a leader', () => {
    const lone = new Lone({ terms: [1] });
    lone.elapseUntil(() => lone.calls('preVote').length === 2);
    const [call] = lone.calls('preVote');
    if (!call) throw new Error('somebody is asked');
    lone.fail(call, 'closed');
    expect(lone.status).toMatchObject({ role: 'candidate', term: 2 });
  });

  it.each(['unreachable', 'timeout'] as const)('one that is %s has said nothing', (failure) => {
    const lone = new Lone({ terms: [1] });
    lone.elapseUntil(() => lone.calls('preVote').length === 2);
    for (const call of lone.calls('preVote')) lone.fail(call, failure);
    expect(lone.status.term).toBe(1);
  });

  it('a closed connection after a vote request is no vote', () => {
    const lone = new Lone({ terms: [1] });
    lone.stand();
    for (const call of lone.calls('requestVote')) lone.fail(call, 'closed');
    expect(lone.status.role).toBe('candidate');
  });

  it('ask for votes outright, without saying who they are, and get them', () => {
    const lone = new Lone({ terms: [1] });
    const request = requestVote({ from: 2, term: 2, last: [1, 1], sender: NO_CLAIM });
    expect(lone.ask(2, request)).toMatchObject({ term: 2, granted: true });
  });
});

describe('4.2.3, servers that disturb', () => {
  it('a vote is refused while a leader is heard, and the term stays', () => {
    const lone = new Lone({ terms: [1], term: 2 });
    lone.ask(2, heartbeat({ from: 2, term: 2 }));
    expect(lone.ask(3, requestVote({ from: 3, term: 9, last: [9, 8] }))).toMatchObject({ granted: false });
    expect(lone.status).toMatchObject({ term: 2, leader: { id: idOf(2) } });
  });

  it('a leader that hears a quorum neither votes nor steps down for one who asks', () => {
    const lone = leaderOf({ terms: [1] });
    expect(lone.ask(3, requestVote({ from: 3, term: 9, last: [9, 8] }))).toMatchObject({ granted: false });
    expect(lone.status).toMatchObject({ role: 'leader', term: 2 });
  });

  it('one who was told by the leader to stand gets the vote, leader or not (3.10)', () => {
    const lone = new Lone({ terms: [1], term: 2 });
    lone.ask(2, heartbeat({ from: 2, term: 2 }));
    const request = requestVote({ from: 3, term: 3, last: [1, 1], isTransfer: true });
    expect(lone.ask(3, request)).toMatchObject({ term: 3, granted: true });
  });

  it('the present leader itself, standing anew, is not refused for being the leader', () => {
    const lone = new Lone({ terms: [1], term: 2 });
    lone.ask(2, heartbeat({ from: 2, term: 2 }));
    expect(lone.ask(2, requestVote({ from: 2, term: 3, last: [1, 1] }))).toMatchObject({ term: 3, granted: true });
  });

  it('once no leader is heard for an election timeout, a vote is given again', () => {
    const lone = new Lone({ terms: [1], term: 2 });
    lone.ask(2, heartbeat({ from: 2, term: 2 }));
    lone.elapseUntil(() => lone.status.role !== 'follower');
    expect(lone.ask(3, requestVote({ from: 3, term: 3, last: [1, 1] }))).toMatchObject({ term: 3, granted: true });
  });
});

describe('check quorum: a leader that hears no quorum', () => {
  it('steps down after its lease', () => {
    const lone = leaderOf({ terms: [1] });
    lone.elapse(2000);
    expect(lone.status).toMatchObject({ role: 'follower', term: 2, leader: null });
  });

  it('does not while one other of three answers', () => {
    const lone = leaderOf({ terms: [1] });
    for (let ms = 0; ms < 5000; ms += 10) {
      lone.elapse(10);
      for (const call of lone.heartbeats(2)) {
        lone.answer(call, { kind: 'appendEntries', term: 2, lastIndex: 2, success: true, noRetryBackoff: false });
      }
    }
    expect(lone.status).toMatchObject({ role: 'leader', term: 2 });
  });

  it('failures are no sign of life', () => {
    const lone = leaderOf({ terms: [1] });
    for (let ms = 0; ms < 2000; ms += 10) {
      lone.elapse(10);
      for (const call of lone.open.slice()) lone.fail(call, 'error');
    }
    expect(lone.status.role).not.toBe('leader');
  });
});
