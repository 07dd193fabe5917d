/**
 * What users of other Raft implementations have reported, a test each, where it shows at an engine (hashicorp/raft unless
 * another name is said). Some are scenarios as well: `scenarios/snapshot-conflict.txt`, `leader-disk-stalls.txt`, ...
 */
import { describe, expect, it } from 'vitest';
import type { AppendEntriesResponse } from '../../src/raft/messages.ts';
import { accepted, leaderOf, Lone, rejected } from './lone.ts';
import { Network } from './network.ts';
import { appendEntries, command, configurationOf, heartbeat, idOf, logOf } from './words.ts';

/** Answers all heartbeats with yes, and nothing else. */
function beat(lone: Lone, ...followers: readonly number[]): void {
  for (const follower of followers) {
    for (const call of lone.heartbeats(follower)) lone.answer(call, accepted(call.request));
  }
}

function elapseBeating(lone: Lone, ms: number, ...followers: readonly number[]): void {
  for (let passed = 0; passed < ms; passed += 10) {
    lone.elapse(10);
    beat(lone, ...followers);
  }
}

describe('503, 612, 614, 666: a leader whose disk stands still', () => {
  it('steps down although its followers answer its heartbeats', () => {
    const lone = leaderOf({ terms: [1] });
    lone.server.stallDisk();
    lone.propose('w1');
    elapseBeating(lone, 2500, 2, 3);
    expect(lone.status.role).not.toBe('leader');
    expect(lone.effectsOf('refusedProposal')).toMatchObject([{ number: 1, refusal: { code: 'leadership-lost' } }]);
  });

  it('is followed by another leader within a few timeouts, and follows it when its disk is back', () => {
    const network = Network.started(3);
    const stalled = network.elect();
    stalled.stallDisk();
    stalled.step({ kind: 'propose', proposals: [{ number: 1, type: 0, data: null }] });
    network.run(5000);
    const leader = network.elect();
    expect(leader.number).not.toBe(stalled.number);
    stalled.resumeDisk();
    network.run(1500);
    expect(stalled.status).toMatchObject({ role: 'follower', leader: { id: idOf(leader.number) } });
    expect(stalled.terms).toEqual(leader.terms);
  });

  it('does not stand for election while it stands still', () => {
    const lone = new Lone({ terms: [1], term: 2 });
    lone.server.stallDisk();
    lone.send(2, appendEntries({ from: 2, term: 2, prev: [1, 1], entries: [command(2, 2)] }));
    lone.elapse(10_000);
    expect(lone.calls('requestVote')).toEqual([]);
    expect(lone.calls('preVote')).toEqual([]);
  });

  it('of one follower’s disk: the pipeline to it moves again when the disk does', () => {
    const network = Network.started(3, { server: { limits: { maxInFlight: 2 } } });
    const leader = network.elect();
    const slow = network.server((leader.number % 3) + 1);
    slow.stallDisk();
    for (let number = 1; number <= 20; number++) {
      leader.step({ kind: 'propose', proposals: [{ number, type: 0, data: null }] });
      network.run(100);
    }
    slow.resumeDisk();
    network.run(1000);
    expect(slow.disk.lastIndex).toBe(leader.disk.lastIndex);
    const known = leader.status.followers.find(({ id }) => id === idOf(slow.number));
    expect(known).toMatchObject({ state: 'pipeline', matchIndex: leader.lastIndex });
  });
});

describe('heartbeats and terms', () => {
  it('a heartbeat that is answered with a newer term ends the leadership: it is no sign of a follower', () => {
    const lone = leaderOf({ terms: [1] });
    lone.elapseUntil(() => lone.heartbeats(2).length > 0);
    const [call] = lone.heartbeats(2);
    if (!call) throw new Error('a heartbeat is sent');
    lone.answer(call, rejected(7, 2));
    expect(lone.status).toMatchObject({ role: 'follower', term: 7 });
  });

  it('etcd 13527: a leader that is cut off and whose disk stands still steps down, too', () => {
    const lone = leaderOf({ terms: [1] });
    lone.server.stallDisk();
    lone.propose('w1');
    lone.elapse(700);
    expect(lone.status.role).toBe('follower');
  });
});

describe('570 and 581: leadership that is handed over', () => {
  it('thirty times in a row, with writes under way, it arrives every time', () => {
    const network = Network.started(3);
    network.elect();
    let proposals = 0;
    for (let request = 1000; request < 1030; request++) {
      const leader = network.elect();
      const to = (leader.number % 3) + 1;
      for (let i = 0; i < 5; i++)
        leader.step({ kind: 'propose', proposals: [{ number: ++proposals, type: 0, data: new Uint8Array(300) }] });
      leader.step({ kind: 'transferLeadership', request, to: idOf(to) });
      network.run(300);
      expect(network.elect().number).toBe(to);
    }
    expect(network.elect().status.term).toBe(32);
  });

  it('does not lose the proposals that were taken before it began', () => {
    const network = Network.started(3);
    const leader = network.elect();
    const texts = Array.from({ length: 50 }, (_, i) => `w${i}`);
    for (const [number, text] of texts.entries()) {
      const data = new TextEncoder().encode(text);
      leader.step({ kind: 'propose', proposals: [{ number, type: 0, data }] });
    }
    leader.step({ kind: 'transferLeadership', request: 1, to: null });
    network.run(1000);
    expect(network.elect().number).not.toBe(leader.number);
    for (const server of network.servers.values()) expect(server.applied.map(({ text }) => text)).toEqual(texts);
  });

  it('a transfer that is answered but comes to nothing is given up, and no proposal waits for ever', () => {
    const lone = leaderOf({ terms: [1] });
    lone.step({ kind: 'transferLeadership', request: 1, to: idOf(2) });
    const [call] = lone.calls('timeoutNow', 2);
    if (!call) throw new Error('it is told');
    lone.answer(call, { kind: 'timeoutNow' });
    elapseBeating(lone, 1500, 2, 3);
    expect(lone.effectsOf('unsettled')).toMatchObject([{ request: 1 }]);
    lone.propose('w1');
    expect(lone.effectsOf('proposed')).toHaveLength(1);
  });
});

describe('541: how much is on its way', () => {
  it.each([1, 2, 5])('never more than %i requests to one follower, however much is proposed', (maxInFlight) => {
    const lone = leaderOf({ terms: [1], limits: { maxInFlight, maxAppendEntries: 2 } });
    for (let i = 0; i < 100; i++) {
      lone.propose(`w${i}`);
      expect(lone.appends(2).length).toBeLessThanOrEqual(maxInFlight);
      const [call] = lone.appends(3);
      if (call !== undefined && i % 3 === 0) lone.answer(call, accepted(call.request));
      expect(lone.appends(3).length).toBeLessThanOrEqual(maxInFlight);
    }
  });

  it('and never more bytes than the bound, a single request apart', () => {
    const lone = leaderOf({ terms: [1], limits: { maxInFlight: 100, maxInFlightBytes: 1000, maxAppendBytes: 600 } });
    for (let i = 0; i < 40; i++) {
      const data = new Uint8Array(250);
      lone.step({ kind: 'propose', proposals: [{ number: i, type: 0, data }] });
    }
    const bytes = lone.appends(2).flatMap(({ request }) => request.entries ?? []).length * 250;
    expect(bytes).toBeLessThanOrEqual(1600);
  });

  it('an entry that is larger than a request may be goes alone', () => {
    const lone = leaderOf({ terms: [1], limits: { maxAppendBytes: 100 } });
    lone.step({ kind: 'propose', proposals: [{ number: 1, type: 0, data: new Uint8Array(5000) }] });
    expect(lone.appends(2)[0]?.request.entries).toHaveLength(1);
    lone.acknowledge(2);
    expect(lone.status.commitIndex).toBe(3);
  });
});

describe('300, 561, consul 2893: leadership that is lost is an outcome that nobody knows', () => {
  it('what was in the log is told as lost, what was not is told as not written', () => {
    const lone = leaderOf({ terms: [1] });
    lone.propose('w1', 'w2');
    lone.ask(3, heartbeat({ from: 3, term: 3 }));
    lone.propose('w3');
    const told = lone.effectsOf('refusedProposal').map(({ number, refusal }) => [number, refusal.code]);
    expect(told).toEqual([
      [1, 'leadership-lost'],
      [2, 'leadership-lost'],
      [3, 'not-leader'],
    ]);
  });

  it('each is told once, and what was committed is not told as lost', () => {
    const lone = leaderOf({ terms: [1] });
    lone.propose('w1');
    lone.acknowledge(2);
    lone.propose('w2');
    lone.ask(3, heartbeat({ from: 3, term: 3 }));
    lone.ask(2, heartbeat({ from: 2, term: 4 }));
    expect(lone.effectsOf('refusedProposal').map(({ number }) => number)).toEqual([2]);
  });

  it('requests of other kinds end the same way', () => {
    const lone = leaderOf({ terms: [1] });
    const change = { kind: 'removeServer', id: idOf(3) } as const;
    lone.step({ kind: 'changeConfiguration', request: 1, change });
    lone.step({ kind: 'readIndex', request: 2 });
    lone.ask(2, heartbeat({ from: 2, term: 3 }));
    const told = lone.effectsOf('unsettled').map(({ request, refusal }) => [request, refusal.code]);
    expect(new Map(told as [number, string][])).toEqual(
      new Map([
        [1, 'leadership-lost'],
        [2, 'leadership-lost'],
      ]),
    );
  });
});

describe('a follower that has lost its disk', () => {
  it('is sent everything again, from where it says that its log ends', () => {
    const lone = leaderOf({ terms: [1, 1, 1, 1] });
    lone.propose('w1');
    const [call] = lone.appends(2);
    if (!call) throw new Error('a follower is sent to');
    lone.answer(call, rejected(2, 0));
    const sent = lone.appends(2).flatMap(({ request }) => request.entries ?? []);
    expect(sent.map(({ index }) => index)).toEqual([1, 2, 3, 4, 5, 6]);
    lone.acknowledge(2);
    expect(lone.status.followers.find(({ id }) => id === idOf(2))).toMatchObject({ matchIndex: 6 });
  });
});

describe('a follower that is not there when a leader is elected', () => {
  it.each(['unreachable', 'closed', 'timeout', 'error'] as const)(
    'and says "%s" is asked at the end of the log',
    (failure) => {
      // Whoever falls back to the beginning for a failure sends a snapshot to every server that was restarted just then.
      const entries = logOf(
        configurationOf([1, 2, 3]),
        Array.from({ length: 50 }, () => 1),
      );
      const lone = new Lone({ entries });
      lone.win(2);
      const [call] = lone.appends(3);
      if (!call) throw new Error('a follower is sent to');
      lone.fail(call, failure);
      lone.acknowledge(2);
      lone.elapseUntil(() => lone.appends(3).length > 0);
      expect(lone.appends(3)[0]?.request).toMatchObject({ prevIndex: 50, prevTerm: 1 });
    },
  );

  it('and was brought up to date before is asked where it was', () => {
    const lone = leaderOf({ terms: [1] });
    lone.propose('w1');
    for (const call of lone.appends(3)) lone.fail(call, 'timeout');
    lone.elapseUntil(() => lone.appends(3).length > 0);
    expect(lone.appends(3)[0]?.request).toMatchObject({ prevIndex: 2, prevTerm: 2 });
  });
});

describe('clocks', () => {
  it('that stand still or jump ahead by an hour break nothing', () => {
    const lone = leaderOf({ terms: [1] });
    lone.server.nowMs += 3_600_000;
    lone.step({ kind: 'tick' });
    expect(lone.status.role).toBe('follower');
    lone.server.nowMs -= 3_600_000;
    lone.step({ kind: 'tick' });
    const answer: AppendEntriesResponse = lone.ask(2, heartbeat({ from: 2, term: 3 }));
    expect(answer).toMatchObject({ term: 3, success: true });
  });
});
