/**
 * Raft, figure 2: "Leaders", with sections 5.3 and 5.4.2 (figure 8), 8 (the no-op) and, of Ongaro's dissertation, 10.2.1
 * (the leader writes while its followers do). Server 1 is the engine and leads; the test speaks for its followers.
 */
import { describe, expect, it } from 'vitest';
import { ENTRY_TYPES } from '../../../src/raft/messages.ts';
import { accepted, leaderOf, Lone, rejected } from '../lone.ts';
import { addressOf, configurationOf, idOf, logOf, textOf } from '../words.ts';

const five = configurationOf([1, 2, 3, 4, 5]);

describe('leaders, when elected', () => {
  it('tell everybody at once', () => {
    const lone = new Lone({ terms: [1], configuration: five });
    lone.win(2, 3);
    const told = new Set(lone.calls('appendEntries').map(({ to }) => to));
    expect(told).toEqual(new Set([2, 3, 4, 5].map(idOf)));
    for (const { request } of lone.calls('appendEntries')) {
      expect(request).toMatchObject({ term: 2, leader: addressOf(1), sender: { id: idOf(1), address: addressOf(1) } });
    }
  });

  it('begin with a no-op of their term (section 8)', () => {
    const lone = new Lone({ terms: [1, 1] });
    lone.win();
    expect(lone.server.entry(3)).toMatchObject({ index: 3, term: 2, type: ENTRY_TYPES.noop, data: null });
  });

  it('begin each follower behind their own last entry, and know of none what it holds', () => {
    const lone = new Lone({ terms: [1, 1, 1] });
    lone.win();
    const [call] = lone.appends(2);
    expect(call?.request).toMatchObject({ prevIndex: 3, prevTerm: 1 });
    for (const { matchIndex } of lone.status.followers) expect(matchIndex).toBe(0);
  });

  it('say who leads, once', () => {
    const lone = new Lone({ terms: [1] });
    lone.win();
    const told = lone.effectsOf('leaderChanged').filter(({ isSelf }) => isSelf);
    expect(told).toEqual([
      { kind: 'leaderChanged', leader: { id: idOf(1), address: addressOf(1) }, term: 2, isSelf: true },
    ]);
  });
});

describe('leaders, while nothing happens', () => {
  it('are heard by everybody well within an election timeout', () => {
    const lone = leaderOf({ terms: [1] });
    const heardAt = new Map([2, 3].map((follower) => [idOf(follower), lone.server.nowMs]));
    let longest = 0;
    for (let ms = 0; ms < 5000; ms++) {
      for (const call of lone.calls('appendEntries')) {
        longest = Math.max(longest, lone.server.nowMs - (heardAt.get(call.to) ?? 0));
        heardAt.set(call.to, lone.server.nowMs);
        lone.answer(call, accepted(call.request));
      }
      lone.elapse(1);
    }
    for (const at of heardAt.values()) longest = Math.max(longest, lone.server.nowMs - at);
    expect(longest).toBeLessThanOrEqual(250);
    expect(lone.status).toMatchObject({ role: 'leader', term: 2 });
  });

  it('send heartbeats that are nothing else, on their own channel', () => {
    const lone = leaderOf({ terms: [1] });
    lone.elapseUntil(() => lone.heartbeats(2).length > 0);
    expect(lone.heartbeats(2)[0]).toMatchObject({
      channel: 'heartbeat',
      when: 'now',
      request: { term: 2, prevIndex: 0, prevTerm: 0, commitIndex: 0, entries: null },
    });
  });
});

describe('leaders, on a command', () => {
  it('append it, send it, and tell where it is', () => {
    const lone = leaderOf({ terms: [1] });
    lone.propose('w7');
    expect(lone.effectsOf('proposed')).toEqual([{ kind: 'proposed', number: 7, index: 3, term: 2 }]);
    for (const follower of [2, 3]) {
      const [call] = lone.appends(follower);
      expect(call?.request).toMatchObject({ prevIndex: 2, prevTerm: 2 });
      expect(call?.request.entries?.map(({ data }) => textOf(data))).toEqual(['w7']);
      expect(call?.channel).toBe('log');
    }
  });

  it('have it applied once a majority holds it, and not before', () => {
    const lone = leaderOf({ terms: [1], configuration: five });
    lone.propose('w1');
    const [a] = lone.appends(2);
    const [b] = lone.appends(3);
    if (!a || !b) throw new Error('followers are sent to');
    lone.answer(a, accepted(a.request));
    expect(lone.status.commitIndex).toBe(2);
    lone.answer(b, accepted(b.request));
    expect(lone.status.commitIndex).toBe(3);
    expect(lone.server.applied).toEqual([{ index: 3, text: 'w1' }]);
  });

  it('proposals of one batch are in the log in their order, and go in one request and one write', () => {
    const lone = leaderOf({ terms: [1] });
    const written = lone.effectsOf('persist').length;
    lone.propose('w1', 'w2', 'w3');
    expect(lone.effectsOf('proposed').map(({ number, index }) => [number, index])).toEqual([
      [1, 3],
      [2, 4],
      [3, 5],
    ]);
    expect(lone.effectsOf('persist')).toHaveLength(written + 1);
    expect(lone.appends(2)[0]?.request.entries).toHaveLength(3);
  });

  it('who does not lead writes nothing and says so', () => {
    const lone = new Lone({ terms: [1] });
    lone.propose('w1');
    expect(lone.effectsOf('refusedProposal')).toMatchObject([{ number: 1, refusal: { code: 'not-leader' } }]);
    expect(lone.server.terms).toEqual([1]);
  });
});

describe('leaders, if the log is longer than what a follower has', () => {
  it('send from its next index on, and learn from success what it holds', () => {
    const lone = leaderOf({ terms: [1] });
    lone.propose('w1', 'w2');
    const [call] = lone.appends(2);
    if (!call) throw new Error('a follower is sent to');
    lone.answer(call, accepted(call.request));
    expect(lone.status.followers.find(({ id }) => id === idOf(2))).toMatchObject({ matchIndex: 4, nextIndex: 5 });
  });

  it('success says no more than the request did: what a follower has behind it is not counted', () => {
    const lone = new Lone({ terms: [1, 1] });
    lone.win();
    const [call] = lone.appends(2);
    if (!call) throw new Error('a follower is sent to');
    // The follower's log is longer, of entries of an old term: `lastIndex` is where its log ends.
    lone.answer(call, { ...accepted(call.request), lastIndex: 50 });
    const reaches = call.request.prevIndex + (call.request.entries?.length ?? 0);
    expect(lone.status.followers.find(({ id }) => id === idOf(2))?.matchIndex).toBe(reaches);
  });

  it('go back where a follower refuses, and forth from where it agrees', () => {
    const lone = new Lone({ terms: [1, 1, 2, 2, 3, 3] });
    lone.win();
    // A follower whose entries from 4 on are others: it agrees up to 3.
    const terms = [1, 1, 2];
    for (let rounds = 0; lone.appends(2).length > 0; rounds++) {
      expect(rounds).toBeLessThan(12);
      const [call] = lone.appends(2);
      if (!call) break;
      const { prevIndex, prevTerm, entries } = call.request;
      if (prevIndex > 0 && terms[prevIndex - 1] !== prevTerm) {
        lone.answer(call, rejected(4, 6));
        continue;
      }
      terms.length = prevIndex;
      terms.push(...(entries ?? []).map(({ term }) => term));
      lone.answer(call, accepted(call.request));
    }
    expect(terms).toEqual([1, 1, 2, 2, 3, 3, 4]);
    expect(lone.status.followers.find(({ id }) => id === idOf(2))?.matchIndex).toBe(7);
  });

  it('take the hint of a follower whose log ends early, in one step', () => {
    const lone = new Lone({ terms: [1, ...Array.from({ length: 40 }, () => 1)] });
    lone.win();
    const [call] = lone.appends(2);
    if (!call) throw new Error('a follower is sent to');
    lone.answer(call, rejected(2, 5));
    const [next] = lone.appends(2);
    expect(next?.request.prevIndex).toBe(5);
  });

  it('a hint past the end, or one that never changes, ends in no endless loop within one step', () => {
    const lone = new Lone({ terms: [1, 1, 1] });
    lone.win();
    for (let i = 0; i < 50; i++) {
      const [call] = lone.appends(2);
      if (!call) break;
      lone.answer(call, rejected(2, 1_000_000));
    }
    expect(lone.status.role).toBe('leader');
    expect(lone.appends(2).length).toBeLessThanOrEqual(2);
  });

  it('try a follower again that could not be reached, for ever, and never all at once', () => {
    const lone = new Lone({ terms: [1] });
    lone.win(2);
    lone.acknowledge(2);
    let tried = 0;
    for (let ms = 0; ms < 5000; ms += 10) {
      for (const call of lone.calls('appendEntries', 2)) lone.answer(call, accepted(call.request));
      for (const call of lone.appends(3)) {
        tried++;
        lone.fail(call, 'unreachable');
      }
      for (const call of lone.heartbeats(3)) lone.fail(call, 'unreachable');
      lone.elapse(10);
    }
    expect(tried).toBeGreaterThan(2);
    expect(tried).toBeLessThan(500);
    lone.elapseUntil(() => lone.appends(3).length > 0, 12_000);
    lone.acknowledge(3);
    expect(lone.status.followers.find(({ id }) => id === idOf(3))).toMatchObject({ matchIndex: 2 });
  });
});

describe('leaders, if a majority holds an entry of their own term', () => {
  it('commit it and all before it', () => {
    const lone = new Lone({ terms: [1, 2, 2] });
    lone.win();
    expect(lone.status).toMatchObject({ term: 3, commitIndex: 0 });
    lone.acknowledge(2);
    expect(lone.status.commitIndex).toBe(4);
  });

  it('figure 8: never count copies of an entry of an older term', () => {
    // Figure 8 (c): server 1 leads again, in term 4; entry 2 of term 2 reaches a majority.
    const lone = new Lone({
      entries: logOf(five, [1, 2]),
      configuration: five,
      term: 3,
      limits: { maxAppendEntries: 1 },
    });
    lone.win();
    expect(lone.status.term).toBe(4);
    for (const follower of [2, 3]) {
      const [probe] = lone.appends(follower);
      if (!probe) throw new Error('a follower is sent to');
      lone.answer(probe, rejected(4, 1));
      const [copy] = lone.appends(follower);
      if (!copy) throw new Error('a follower is sent to');
      expect(copy.request.entries?.map(({ index, term }) => [index, term])).toEqual([[2, 2]]);
      lone.answer(copy, accepted(copy.request));
    }
    const holders = lone.status.followers.filter(({ matchIndex }) => matchIndex === 2);
    expect(holders).toHaveLength(2);
    expect(lone.status.commitIndex).toBeLessThan(2);
    // Figure 8 (e): an entry of its own term on a majority commits both.
    lone.acknowledge(2);
    lone.acknowledge(3);
    expect(lone.status.commitIndex).toBe(3);
  });

  it('what a follower says twice counts once', () => {
    const lone = leaderOf({ terms: [1], configuration: five });
    lone.propose('w1');
    const [call] = lone.appends(2);
    if (!call) throw new Error('a follower is sent to');
    lone.answer(call, accepted(call.request));
    lone.step({ kind: 'answered', call: call.call, response: accepted(call.request) });
    lone.step({ kind: 'answered', call: call.call, response: accepted(call.request) });
    expect(lone.status.commitIndex).toBe(2);
  });

  it('answers that come late, of a term in which it led before, count for nothing', () => {
    const lone = leaderOf({ terms: [1] });
    lone.propose('w1');
    const late = lone.appends();
    lone.ask(3, {
      ...lone.appends(3)[0]!.request,
      term: 3,
      leader: addressOf(3),
      entries: [],
      prevIndex: 2,
      prevTerm: 2,
    });
    expect(lone.status.role).toBe('follower');
    lone.win();
    const { commitIndex } = lone.status;
    for (const { call, request } of late) lone.step({ kind: 'answered', call, response: accepted(request) });
    expect(lone.status).toMatchObject({ role: 'leader', commitIndex });
  });
});

describe('dissertation 10.2.1, the leader writes to its disk while its followers write to theirs', () => {
  it('entries leave before they are durable here', () => {
    const lone = leaderOf({ terms: [1] });
    lone.server.stallDisk();
    lone.propose('w1');
    expect(lone.appends(2)[0]?.request.entries).toHaveLength(1);
    expect(lone.status).toMatchObject({ lastIndex: 3, durableIndex: 2 });
  });

  it('its own copy does not count until it is durable', () => {
    const lone = leaderOf({ terms: [1] });
    lone.server.stallDisk();
    lone.propose('w1');
    const [call] = lone.appends(2);
    if (!call) throw new Error('a follower is sent to');
    lone.answer(call, accepted(call.request));
    expect(lone.status.commitIndex).toBe(2);
    lone.server.resumeDisk();
    expect(lone.status).toMatchObject({ commitIndex: 3, durableIndex: 3 });
  });

  it('is not needed where a majority of others holds the entry', () => {
    const lone = leaderOf({ terms: [1] });
    lone.server.stallDisk();
    lone.propose('w1');
    lone.acknowledge(2);
    expect(lone.status.commitIndex).toBe(2);
    lone.acknowledge(3);
    expect(lone.status).toMatchObject({ commitIndex: 3, durableIndex: 2 });
  });

  it('a leader that is the only voter commits when its disk says so', () => {
    const lone = new Lone({ terms: [1], configuration: configurationOf([1]) });
    lone.elapseUntil(() => lone.status.role === 'leader');
    lone.server.stallDisk();
    lone.propose('w1');
    expect(lone.status.commitIndex).toBe(2);
    lone.server.resumeDisk();
    expect(lone.status.commitIndex).toBe(3);
  });
});
