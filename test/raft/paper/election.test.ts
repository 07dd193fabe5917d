/**
 * Raft (Ongaro and Ousterhout, extended version), figure 2: "RequestVote RPC", "Followers" and "Candidates", with
 * sections 5.2 and 5.4.1. Server 1 is the engine; the test speaks for 2 and 3.
 */
import { describe, expect, it } from 'vitest';
import { Lone, rejected } from '../lone.ts';
import { addressOf, appendEntries, configurationOf, heartbeat, idOf, preVote, requestVote } from '../words.ts';

describe('RequestVote, receiver, rule 1', () => {
  it('a candidate of an older term is refused, and told the newer one', () => {
    const lone = new Lone({ terms: [1, 2], term: 5 });
    expect(lone.ask(2, requestVote({ from: 2, term: 4, last: [9, 4] }))).toMatchObject({ term: 5, granted: false });
    expect(lone.server.disk.hardState).toEqual({ term: 5, votedFor: null });
  });
});

describe('RequestVote, receiver, rule 2', () => {
  it('the first candidate of a term gets the vote', () => {
    const lone = new Lone({ terms: [1, 2] });
    expect(lone.ask(2, requestVote({ from: 2, term: 3, last: [2, 2] }))).toMatchObject({ term: 3, granted: true });
    expect(lone.server.disk.hardState).toEqual({ term: 3, votedFor: addressOf(2) });
  });

  it('a second candidate of the term gets none', () => {
    const lone = new Lone({ terms: [1, 2] });
    lone.ask(2, requestVote({ from: 2, term: 3, last: [2, 2] }));
    expect(lone.ask(3, requestVote({ from: 3, term: 3, last: [9, 2] }))).toMatchObject({ term: 3, granted: false });
    expect(lone.server.disk.hardState.votedFor).toBe(addressOf(2));
  });

  it('the same candidate that asks again gets the same answer, and nothing more is written', () => {
    const lone = new Lone({ terms: [1, 2] });
    lone.ask(2, requestVote({ from: 2, term: 3, last: [2, 2] }));
    const written = lone.effectsOf('persist').length;
    expect(lone.ask(2, requestVote({ from: 2, term: 3, last: [2, 2] }))).toMatchObject({ term: 3, granted: true });
    expect(lone.effectsOf('persist')).toHaveLength(written);
  });

  it('a vote of before the restart binds', () => {
    const lone = new Lone({ terms: [1, 2], term: 3, votedFor: 2 });
    expect(lone.ask(3, requestVote({ from: 3, term: 3, last: [9, 2] })).granted).toBe(false);
    expect(lone.ask(2, requestVote({ from: 2, term: 3, last: [9, 2] })).granted).toBe(true);
  });

  it('one who refuses a newer candidate for its old log is in the newer term all the same', () => {
    const lone = new Lone({ terms: [1, 2, 2] });
    expect(lone.ask(2, requestVote({ from: 2, term: 7, last: [2, 2] }))).toMatchObject({ term: 7, granted: false });
    expect(lone.server.disk.hardState).toEqual({ term: 7, votedFor: null });
    expect(lone.ask(3, requestVote({ from: 3, term: 7, last: [3, 2] })).granted).toBe(true);
  });

  it('a candidate votes for itself, so for no other in its term', () => {
    const lone = new Lone({ terms: [1, 2] });
    lone.stand();
    const { term } = lone.status;
    expect(lone.ask(2, requestVote({ from: 2, term, last: [9, 2] })).granted).toBe(false);
    expect(lone.server.disk.hardState).toEqual({ term, votedFor: addressOf(1) });
  });
});

describe('section 5.4.1, which log is more up to date', () => {
  it.each([
    { mine: [1, 1], last: [2, 1] as const, granted: true, why: 'equal' },
    { mine: [1, 1], last: [3, 1] as const, granted: true, why: 'the same last term, longer' },
    { mine: [1, 1], last: [1, 1] as const, granted: false, why: 'the same last term, shorter' },
    { mine: [1, 1], last: [1, 2] as const, granted: true, why: 'a later last term, shorter' },
    { mine: [1, 2], last: [9, 1] as const, granted: false, why: 'an earlier last term, longer' },
    { mine: [1, 2], last: [0, 0] as const, granted: false, why: 'no log at all' },
    { mine: [], last: [0, 0] as const, granted: true, why: 'neither has a log' },
  ])('$why: a log ending $last against terms $mine, vote $granted', ({ mine, last, granted }) => {
    const lone = new Lone({ terms: mine, term: 4 });
    expect(lone.ask(2, preVote({ from: 2, term: 5, last })).granted).toBe(granted);
    expect(lone.ask(2, requestVote({ from: 2, term: 5, last })).granted).toBe(granted);
  });
});

describe('followers', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])('with seed %i stands once it has heard nobody for one to two timeouts', (seed) => {
    const lone = new Lone({ terms: [1], seed });
    lone.ask(2, heartbeat({ from: 2, term: 2 }));
    lone.elapse(999);
    expect(lone.status.role).toBe('follower');
    lone.elapseUntil(() => lone.status.role !== 'follower', 1002);
  });

  it('timeouts differ, so that not all stand at once (section 5.2)', () => {
    const times = Array.from({ length: 16 }, (_, seed) => {
      const lone = new Lone({ terms: [1], seed });
      lone.elapseUntil(() => lone.status.role !== 'follower', 4000);
      return lone.server.nowMs;
    });
    expect(new Set(times).size).toBeGreaterThan(8);
  });

  it('the same seed and the same inputs stand at the same time', () => {
    const timeOf = () => {
      const lone = new Lone({ terms: [1], seed: 77 });
      lone.elapseUntil(() => lone.status.role !== 'follower', 4000);
      return lone.server.nowMs;
    };
    expect(timeOf()).toBe(timeOf());
  });

  it('stay followers while the leader is heard, in heartbeats or in entries', () => {
    const lone = new Lone({ terms: [1] });
    for (let i = 0; i < 20; i++) {
      lone.elapse(900);
      if (i % 2 === 0) lone.ask(2, heartbeat({ from: 2, term: 2 }));
      else lone.ask(2, appendEntries({ from: 2, term: 2, prev: [1, 1] }));
      expect(lone.status).toMatchObject({ role: 'follower', term: 2, leader: { id: idOf(2), address: addressOf(2) } });
    }
  });

  it('wait anew once they gave a vote, in a term that they knew too', () => {
    const lone = new Lone({ terms: [1, 1] });
    lone.ask(3, requestVote({ from: 3, term: 2, last: [0, 0] }));
    lone.elapse(950);
    expect(lone.ask(2, requestVote({ from: 2, term: 2, last: [2, 1] })).granted).toBe(true);
    lone.elapse(990);
    expect(lone.status.role).toBe('follower');
  });

  it('do not wait anew for an old leader, nor for a candidate that they refuse', () => {
    const lone = new Lone({ terms: [1, 1], term: 5 });
    for (let i = 0; i < 40; i++) {
      lone.elapse(100);
      const { term } = lone.status;
      lone.send(2, heartbeat({ from: 2, term: 4 }));
      lone.send(3, requestVote({ from: 3, term, last: [0, 0] }));
    }
    expect(lone.calls('preVote').length).toBeGreaterThan(0);
  });
});

describe('candidates', () => {
  it('on starting an election: a new term, a vote for themselves, a request to all others', () => {
    const lone = new Lone({ terms: [1, 3], configuration: configurationOf([1, 2, 3, 4, 5]) });
    lone.stand();
    expect(lone.status).toMatchObject({ role: 'candidate', term: 4, leader: null });
    expect(lone.server.disk.hardState).toEqual({ term: 4, votedFor: addressOf(1) });
    const requests = lone.calls('requestVote');
    expect(requests.map(({ to }) => to)).toEqual([2, 3, 4, 5].map(idOf));
    for (const { request, channel } of requests) {
      expect(channel).toBe('election');
      expect(request).toEqual(requestVote({ from: 1, term: 4, last: [2, 3] }));
    }
  });

  it.each([
    [[1, 2, 3], 1],
    [[1, 2, 3, 4], 2],
    [[1, 2, 3, 4, 5], 2],
    [[1, 2, 3, 4, 5, 6, 7], 3],
  ])('of %j lead with votes of a majority, which %i others are', (voters, needed) => {
    const lone = new Lone({ terms: [1], configuration: configurationOf(voters) });
    lone.stand();
    const calls = lone.calls('requestVote');
    for (const [votes, call] of calls.entries()) {
      expect(lone.status.role).toBe(votes < needed ? 'candidate' : 'leader');
      if (votes === needed) return;
      lone.answer(call, { kind: 'requestVote', term: 2, granted: true });
    }
    expect(lone.status.role).toBe('leader');
  });

  it('refusals and failures are no votes', () => {
    const lone = new Lone({ terms: [1], configuration: configurationOf([1, 2, 3, 4, 5]) });
    lone.stand();
    const [a, b, c, d] = lone.calls('requestVote');
    if (!a || !b || !c || !d) throw new Error('four are asked');
    lone.answer(a, { kind: 'requestVote', term: 2, granted: false });
    lone.fail(b, 'unreachable');
    lone.fail(c, 'closed');
    lone.answer(d, { kind: 'requestVote', term: 2, granted: true });
    expect(lone.status).toMatchObject({ role: 'candidate', term: 2 });
  });

  it('an answer counts once, however often it comes', () => {
    const lone = new Lone({ terms: [1], configuration: configurationOf([1, 2, 3, 4, 5]) });
    lone.stand();
    const [call] = lone.calls('requestVote');
    if (!call) throw new Error('somebody is asked');
    lone.answer(call, { kind: 'requestVote', term: 2, granted: true });
    lone.step({ kind: 'answered', call: call.call, response: { kind: 'requestVote', term: 2, granted: true } });
    lone.step({ kind: 'answered', call: call.call, response: { kind: 'requestVote', term: 2, granted: true } });
    expect(lone.status.role).toBe('candidate');
  });

  it('votes that come from an earlier election do not count in the next', () => {
    const lone = new Lone({ terms: [1] });
    lone.stand();
    const late = lone.calls('requestVote');
    lone.elapseUntil(() => lone.status.term > 2 || lone.status.role === 'precandidate');
    for (const call of late) lone.answer(call, { kind: 'requestVote', term: 2, granted: true });
    expect(lone.status.role).not.toBe('leader');
  });

  it.each(['heartbeat', 'entries'])('follow a leader of their own term that they hear of by %s', (by) => {
    const lone = new Lone({ terms: [1] });
    lone.stand();
    const { term } = lone.status;
    const request = by === 'heartbeat' ? heartbeat({ from: 3, term }) : appendEntries({ from: 3, term, prev: [1, 1] });
    expect(lone.ask(3, request)).toMatchObject({ term, success: true });
    expect(lone.status).toMatchObject({ role: 'follower', term, leader: { id: idOf(3) } });
    expect(lone.server.disk.hardState).toEqual({ term, votedFor: addressOf(1) });
  });

  it('do not follow a leader of an older term', () => {
    const lone = new Lone({ terms: [1], term: 4 });
    lone.stand();
    expect(lone.ask(3, appendEntries({ from: 3, term: 4, prev: [1, 1] }))).toMatchObject({ term: 5, success: false });
    expect(lone.status).toMatchObject({ role: 'candidate', term: 5 });
  });

  it('whose time runs out stand again, in a later term, after one to two timeouts', () => {
    const lone = new Lone({ terms: [1] });
    lone.stand();
    const began = lone.server.nowMs;
    lone.elapse(990);
    expect(lone.status).toMatchObject({ role: 'candidate', term: 2 });
    lone.elapseUntil(() => lone.status.role !== 'candidate', 1020);
    expect(lone.server.nowMs - began).toBeGreaterThanOrEqual(990);
    lone.stand();
    expect(lone.status).toMatchObject({ role: 'candidate', term: 3 });
    expect(lone.server.disk.hardState).toEqual({ term: 3, votedFor: addressOf(1) });
  });

  it('a voter that is alone elects itself', () => {
    const lone = new Lone({ terms: [1], configuration: configurationOf([1]) });
    lone.elapseUntil(() => lone.status.role === 'leader');
    expect(lone.status).toMatchObject({ term: 2, commitIndex: 2 });
    expect(lone.open).toEqual([]);
  });
});

describe('all servers: a newer term makes a follower of everybody', () => {
  it.each(['requestVote', 'preVote'] as const)('a candidate that an answer of %s tells a newer term', (kind) => {
    const lone = new Lone({ terms: [1] });
    lone.elapseUntil(() => lone.status.role === 'precandidate' || lone.status.role === 'candidate');
    if (kind === 'requestVote') lone.stand();
    const [call] = lone.calls(kind);
    if (!call) throw new Error('somebody is asked');
    lone.answer(call, { kind, term: 9, granted: false });
    expect(lone.status).toMatchObject({ role: 'follower', term: 9 });
    expect(lone.server.disk.hardState).toEqual({ term: 9, votedFor: null });
  });

  it('a leader that hears of it by a request of a voter, or by an answer', () => {
    const byAnswer = new Lone({ terms: [1] });
    byAnswer.win();
    const [call] = byAnswer.appends();
    if (!call) throw new Error('a leader sends');
    byAnswer.answer(call, rejected(9, 1));
    expect(byAnswer.status).toMatchObject({ role: 'follower', term: 9 });

    const byRequest = new Lone({ terms: [1] });
    byRequest.win();
    expect(byRequest.ask(2, appendEntries({ from: 2, term: 9, prev: [1, 1] })).term).toBe(9);
    expect(byRequest.status).toMatchObject({ role: 'follower', term: 9, leader: { id: idOf(2) } });
  });
});
