/** Raft dissertation, 6.4 "Processing read-only queries more efficiently". Server 1 is the engine. */
import { describe, expect, it } from 'vitest';
import { accepted, leaderOf, Lone, rejected } from '../lone.ts';
import { configurationOf, heartbeat, idOf } from '../words.ts';

function read(lone: Lone, request = 1): void {
  lone.step({ kind: 'readIndex', request });
}

/** All that one follower is asked now is answered with yes. */
function agree(lone: Lone, follower: number): void {
  for (const call of lone.calls('appendEntries', follower)) lone.answer(call, accepted(call.request));
}

function elapseAgreeing(lone: Lone, followers: readonly number[], ms = 400): void {
  for (let passed = 0; passed < ms; passed += 5) {
    lone.elapse(5);
    for (const follower of followers) agree(lone, follower);
  }
}

describe('6.4, a read index', () => {
  it('is confirmed by those who follow, and not by whoever only says in its term that it lacks something', () => {
    const lone = leaderOf({ terms: [1] });
    lone.propose('a');
    read(lone);
    lone.elapse(100);
    for (const call of lone.calls('appendEntries', 2)) {
      lone.answer(call, { ...accepted(call.request), success: false, noRetryBackoff: true, lastIndex: 0 });
    }
    expect(lone.effectsOf('readReady')).toEqual([]);
    elapseAgreeing(lone, [2]);
    expect(lone.effectsOf('readReady')).toMatchObject([{ kind: 'readReady', request: 1 }]);
  });

  it('is what is committed when it is asked for, once a quorum has said afterwards that the leader leads', () => {
    const lone = leaderOf({ terms: [1] });
    read(lone);
    expect(lone.effectsOf('readReady')).toEqual([]);
    elapseAgreeing(lone, [2]);
    expect(lone.effectsOf('readReady')).toEqual([{ kind: 'readReady', request: 1, index: 2 }]);
  });

  it('is asked for in a round that begins at once', () => {
    const lone = leaderOf({ terms: [1] });
    for (const call of lone.open.slice()) lone.answer(call, accepted(call.request as never));
    read(lone);
    expect(lone.open.length).toBeGreaterThan(0);
    agree(lone, 2);
    expect(lone.effectsOf('readReady')).toHaveLength(1);
  });

  it('does not take an answer to what was asked before it', () => {
    const lone = leaderOf({ terms: [1] });
    lone.elapseUntil(() => lone.heartbeats(2).length > 0 && lone.heartbeats(3).length > 0);
    const earlier = lone.calls('appendEntries');
    read(lone);
    for (const call of earlier) lone.answer(call, accepted(call.request));
    expect(lone.effectsOf('readReady')).toEqual([]);
    elapseAgreeing(lone, [3]);
    expect(lone.effectsOf('readReady')).toHaveLength(1);
  });

  it('needs a majority of the voters: non-voters say nothing of who leads', () => {
    const lone = leaderOf({ terms: [1], configuration: configurationOf([1, 2, 3], [4, 5]) });
    read(lone);
    for (let passed = 0; passed < 400; passed += 5) {
      lone.elapse(5);
      agree(lone, 4);
      agree(lone, 5);
    }
    expect(lone.effectsOf('readReady')).toEqual([]);
    elapseAgreeing(lone, [3], 100);
    expect(lone.effectsOf('readReady')).toHaveLength(1);
  });

  it('waits, in a new term, until the leader knows what is committed', () => {
    const lone = new Lone({ terms: [1, 1] });
    lone.win();
    for (const call of lone.heartbeats()) lone.answer(call, accepted(call.request));
    read(lone);
    for (let passed = 0; passed < 300; passed += 5) {
      lone.elapse(5);
      for (const call of lone.heartbeats()) lone.answer(call, accepted(call.request));
    }
    const [ready] = lone.effectsOf('readReady');
    const [refused] = lone.effectsOf('unsettled');
    expect(ready).toBeUndefined();
    if (refused === undefined) {
      elapseAgreeing(lone, [2]);
      expect(lone.effectsOf('readReady')).toEqual([{ kind: 'readReady', request: 1, index: 3 }]);
    }
  });

  it('of several, each is at least what was committed when it was asked for', () => {
    const lone = leaderOf({ terms: [1] });
    read(lone, 1);
    lone.propose('w1');
    elapseAgreeing(lone, [2], 50);
    expect(lone.status.commitIndex).toBe(3);
    read(lone, 2);
    elapseAgreeing(lone, [2]);
    const indexes = new Map(lone.effectsOf('readReady').map(({ request, index }) => [request, index]));
    expect(indexes.get(1)).toBeGreaterThanOrEqual(2);
    expect(indexes.get(2)).toBeGreaterThanOrEqual(3);
  });

  it('of a leader that is deposed meanwhile is refused', () => {
    const lone = leaderOf({ terms: [1] });
    read(lone);
    lone.ask(3, heartbeat({ from: 3, term: 3 }));
    expect(lone.effectsOf('unsettled')).toMatchObject([{ request: 1 }]);
    expect(lone.effectsOf('readReady')).toEqual([]);
  });

  it('of a leader whom nobody answers any more is refused when its lease ends', () => {
    const lone = leaderOf({ terms: [1] });
    read(lone);
    lone.elapse(2000);
    expect(lone.effectsOf('unsettled')).toMatchObject([{ request: 1 }]);
  });

  it('an answer with a newer term is no yes', () => {
    const lone = leaderOf({ terms: [1] });
    read(lone);
    lone.elapseUntil(() => lone.heartbeats(2).length > 0);
    const [call] = lone.heartbeats(2);
    if (!call) throw new Error('a heartbeat is sent');
    lone.answer(call, rejected(3, 2));
    expect(lone.effectsOf('readReady')).toEqual([]);
    expect(lone.effectsOf('unsettled')).toMatchObject([{ request: 1 }]);
  });

  it('a voter that is alone needs nobody', () => {
    const lone = new Lone({ terms: [1], configuration: configurationOf([1]) });
    lone.elapseUntil(() => lone.status.commitIndex === 2);
    read(lone);
    expect(lone.effectsOf('readReady')).toEqual([{ kind: 'readReady', request: 1, index: 2 }]);
  });

  it('who does not lead says so', () => {
    const lone = new Lone({ terms: [1] });
    lone.ask(2, heartbeat({ from: 2, term: 2 }));
    read(lone);
    expect(lone.effectsOf('unsettled')).toMatchObject([{ request: 1, refusal: { code: 'not-leader' } }]);
    expect(lone.status.leader?.id).toBe(idOf(2));
  });

  it('more reads than fit are refused, and those that fit are served', () => {
    const lone = leaderOf({ terms: [1] });
    for (let request = 1; request <= 40; request++) read(lone, request);
    elapseAgreeing(lone, [2]);
    const served = lone.effectsOf('readReady').length;
    const refused = lone.effectsOf('unsettled').length;
    // `maxWaitingReads` is 16.
    expect(served).toBeGreaterThanOrEqual(16);
    expect(served + refused).toBe(40);
    expect(refused).toBeGreaterThan(0);
  });
});
