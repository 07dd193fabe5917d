/**
 * What users of other Raft implementations have reported, a test each, where it shows at an engine (hashicorp/raft unless
 * another name is said). Some are scenarios as well: `scenarios/snapshot-conflict.txt`, `leader-disk-stalls.txt`, ...
 */
import { describe, expect, it } from 'vitest';
import type { AppendEntriesResponse } from '../../src/raft/messages.ts';
import { accepted, leaderOf, Lone, rejected } from './lone.ts';
import { Network } from './network.ts';
import {
  addressOf,
  appendEntries,
  command,
  configurationEntry,
  configurationOf,
  heartbeat,
  idOf,
  logOf,
  preVote,
  requestVote,
  timeoutNow,
} from './words.ts';

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

describe('524, 526, 477: servers that were removed or demoted', () => {
  const removed = configurationOf([1, 2]);

  it.each([
    ['a pre-vote', preVote({ from: 3, term: 9, last: [9, 8] })],
    ['a vote request', requestVote({ from: 3, term: 9, last: [9, 8] })],
    ['a vote request that says it is a transfer', requestVote({ from: 3, term: 9, last: [9, 8], isTransfer: true })],
  ])('one that was removed and comes with a newer term and %s disturbs no leader', (_by, request) => {
    const lone = leaderOf({ terms: [1], configuration: removed });
    lone.listed = [2];
    expect(lone.ask(3, request).granted).toBe(false);
    expect(lone.status).toMatchObject({ role: 'leader', term: 2 });
  });

  it('nor one that the operator’s list still names, while a leader is heard', () => {
    const lone = new Lone({ terms: [1], configuration: removed, term: 2 });
    lone.ask(2, heartbeat({ from: 2, term: 2 }));
    expect(lone.ask(3, requestVote({ from: 3, term: 9, last: [9, 8] })).granted).toBe(false);
    expect(lone.status.term).toBe(2);
  });

  it('one that was demoted gets no vote of those who know it, nor does its old log help it', () => {
    const lone = new Lone({ terms: [1, 1], configuration: configurationOf([1, 2], [3]) });
    expect(lone.ask(3, preVote({ from: 3, term: 2, last: [2, 1] })).granted).toBe(false);
    expect(lone.ask(3, requestVote({ from: 3, term: 2, last: [2, 1] })).granted).toBe(false);
    expect(lone.ask(3, requestVote({ from: 3, term: 2, last: [1, 1] })).granted).toBe(false);
  });

  it('a leader takes no term from the answers of one that it has removed', () => {
    const lone = leaderOf({ terms: [1] });
    const late = lone.effectsOf('call').filter(({ to }) => to === idOf(3));
    lone.step({ kind: 'changeConfiguration', request: 1, change: { kind: 'removeServer', id: idOf(3) } });
    lone.acknowledge(2);
    expect(lone.status.committedConfiguration.configuration).toEqual(removed);
    for (const call of [...lone.calls('appendEntries', 3)]) lone.answer(call, rejected(9, 0));
    for (const { call } of late) lone.step({ kind: 'answered', call, response: rejected(9, 0) });
    expect(lone.status).toMatchObject({ role: 'leader', term: 2 });
  });
});

describe('consul 6979 and 7031: non-voters that are elected', () => {
  it('a non-voter does not stand, whatever it does not hear', () => {
    const lone = new Lone({ terms: [1, 1], configuration: configurationOf([2, 3], [1]) });
    lone.elapse(30_000);
    lone.ask(2, timeoutNow({ from: 2 }));
    expect(lone.status).toMatchObject({ role: 'follower', term: 1 });
    expect(lone.open).toEqual([]);
  });

  it('one of another program that does stand gets no vote, and does not hold the next election up', () => {
    const lone = new Lone({ terms: [1, 1], configuration: configurationOf([1, 2, 3], [4]) });
    lone.listed = [2, 3, 4];
    expect(lone.ask(4, requestVote({ from: 4, term: 5, last: [2, 1] })).granted).toBe(false);
    expect(lone.ask(2, requestVote({ from: 2, term: 6, last: [2, 1] })).granted).toBe(true);
  });

  it('a pre-vote or vote that a non-voter gives is not counted', () => {
    const lone = new Lone({ terms: [1], configuration: configurationOf([1, 2, 3], [4, 5]) });
    lone.elapseUntil(() => lone.status.role === 'precandidate');
    expect(lone.open.map(({ to }) => to)).toEqual([idOf(2), idOf(3)]);
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

describe('nomad 7208: a server that restarts and knows only servers that are gone', () => {
  it('follows a leader that the operator’s list names, and takes its configuration', () => {
    const lone = new Lone({ terms: [1, 1], term: 1 });
    lone.listed = [7, 8];
    lone.elapse(3000);
    const entries = [configurationEntry(3, 4, configurationOf([1, 7, 8])), command(4, 4)];
    expect(lone.ask(7, appendEntries({ from: 7, term: 5, prev: [2, 1], entries, commit: 4 })).success).toBe(true);
    expect(lone.status.committedConfiguration.configuration).toEqual(configurationOf([1, 7, 8]));
  });

  it('removed and added again under its id, it is a server like any other', () => {
    const network = Network.started(3);
    const leader = network.elect();
    const other = (leader.number % 3) + 1;
    const [id, address] = [idOf(other), addressOf(other)];
    leader.step({ kind: 'changeConfiguration', request: 1, change: { kind: 'removeServer', id } });
    network.run(500);
    leader.step({ kind: 'changeConfiguration', request: 2, change: { kind: 'addNonvoter', id, address } });
    network.run(500);
    leader.step({ kind: 'changeConfiguration', request: 3, change: { kind: 'addVoter', id, address } });
    network.run(500);
    expect(leader.status.committedConfiguration.configuration.servers).toContainEqual({
      id,
      address,
      suffrage: 'voter',
    });
    expect(network.server(other).status).toMatchObject({ role: 'follower', lastIndex: leader.lastIndex });
  });
});

describe('etcd 9333 and 7625', () => {
  it('9333: one that is back after a long time with the same term changes nothing', () => {
    const network = Network.started(3);
    const leader = network.elect();
    const other = (leader.number % 3) + 1;
    network.partition(
      [other],
      [1, 2, 3].filter((number) => number !== other),
    );
    network.run(30_000);
    network.heal();
    network.run(3000);
    expect(network.elect()).toBe(leader);
    expect(leader.status.term).toBe(2);
  });

  it('7625: a configuration counts from when it is in the log, so that no two disjoint majorities decide', () => {
    const lone = leaderOf({ terms: [1], configuration: configurationOf([1, 2, 3], [4]) });
    const change = { kind: 'addVoter', id: idOf(4), address: addressOf(4) } as const;
    lone.step({ kind: 'changeConfiguration', request: 1, change });
    // Two of three would be enough by the old configuration; by the new one it takes three of four.
    lone.acknowledge(2);
    lone.propose('w1');
    lone.acknowledge(2);
    expect(lone.status.commitIndex).toBe(2);
    lone.acknowledge(3);
    expect(lone.status.commitIndex).toBe(4);
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

describe('votes that the cluster needs (dissertation, 4.1)', () => {
  it('are given to a candidate that the operator’s list names and no configuration here does, if its log is longer', () => {
    const lone = new Lone({ terms: [1, 1] });
    lone.listed = [2, 3, 4];
    expect(lone.ask(4, preVote({ from: 4, term: 3, last: [5, 2] })).granted).toBe(true);
    expect(lone.ask(4, requestVote({ from: 4, term: 3, last: [5, 2] })).granted).toBe(true);
  });

  it('and to one that is no voter here, if its log is longer: it may hold the entry that makes it one', () => {
    const lone = new Lone({ terms: [1, 1], configuration: configurationOf([1, 2], [3]) });
    expect(lone.ask(3, preVote({ from: 3, term: 2, last: [3, 1] })).granted).toBe(true);
    expect(lone.ask(3, requestVote({ from: 3, term: 2, last: [3, 1] })).granted).toBe(true);
  });

  it('and to nobody that neither names', () => {
    const lone = new Lone({ terms: [1, 1] });
    expect(lone.ask(4, requestVote({ from: 4, term: 3, last: [5, 2] })).granted).toBe(false);
    expect(lone.status.term).toBe(1);
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
