/**
 * What users of other Raft implementations have reported of servers that come, go and change: a test each, where it shows
 * at an engine (hashicorp/raft unless another name is said).
 */
import { describe, expect, it } from 'vitest';
import { leaderOf, Lone, rejected } from './lone.ts';
import { Network } from './network.ts';
import {
  addressOf,
  appendEntries,
  command,
  configurationEntry,
  configurationOf,
  heartbeat,
  idOf,
  preVote,
  requestVote,
  timeoutNow,
} from './words.ts';

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
