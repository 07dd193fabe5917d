/**
 * What a server that joins others' clusters must refuse: strangers, their terms, other histories under the same indexes,
 * entries that make other programs panic. Server 1 is the engine; 2 and 3 are its peers, and 9 is nobody that it knows.
 */
import { describe, expect, it } from 'vitest';
import { ENTRY_TYPES, type Entry, type RaftRequest } from '../../src/raft/messages.ts';
import { leaderOf, Lone, type LoneOptions } from './lone.ts';
import {
  addressOf,
  appendEntries,
  command,
  configurationOf,
  heartbeat,
  idOf,
  installSnapshot,
  NO_CLAIM,
  preVote,
  requestVote,
  timeoutNow,
  type Position,
} from './words.ts';

/** One of each kind, from a sender whose term and log are beyond all doubt newer. */
const requests: readonly (readonly [kind: string, of: (from: number) => RaftRequest])[] = [
  ['entries', (from) => appendEntries({ from, term: 99, prev: [1, 1], entries: [command(2, 99)], commit: 2 })],
  ['entries, as a transfer of nothing', (from) => appendEntries({ from, term: 99, prev: [1, 1] })],
  ['a heartbeat', (from) => heartbeat({ from, term: 99 })],
  ['a vote request', (from) => requestVote({ from, term: 99, last: [50, 98] })],
  ['a vote request as the leader asked', (from) => requestVote({ from, term: 99, last: [50, 98], isTransfer: true })],
  ['a pre-vote', (from) => preVote({ from, term: 99, last: [50, 98] })],
  ['a snapshot', (from) => installSnapshot({ from, term: 99, last: [50, 98], configuration: configurationOf([9]) })],
  ['stand now', (from) => timeoutNow({ from })],
];

describe('a stranger, in no configuration and in no list, with a term of 99', () => {
  it.each(requests)('deposes no leader by %s', (_kind, of) => {
    const lone = leaderOf({ terms: [1] });
    const before = { ...lone.server.disk.hardState };
    const answer = lone.ask(9, of(9), ['theirs']);
    expect(lone.status).toMatchObject({ role: 'leader', term: 2, lastIndex: 2 });
    expect(lone.server.disk.hardState).toEqual(before);
    if ('granted' in answer) expect(answer.granted).toBe(false);
    if ('success' in answer) expect(answer.success).toBe(false);
    if ('term' in answer) expect(answer.term).toBe(2);
  });

  it.each(requests)('leads no follower astray by %s', (_kind, of) => {
    const lone = new Lone({ terms: [1], term: 2 });
    lone.ask(2, heartbeat({ from: 2, term: 2 }));
    lone.ask(9, of(9), ['theirs']);
    expect(lone.status).toMatchObject({
      role: 'follower',
      term: 2,
      leader: { id: idOf(2) },
      lastIndex: 1,
      commitIndex: 0,
    });
    expect(lone.effectsOf('persist')).toEqual([]);
    expect(lone.effectsOf('restore')).toEqual([]);
    expect(lone.open).toEqual([]);
  });

  it.each(requests)('stops no candidate by %s', (_kind, of) => {
    const lone = new Lone({ terms: [1] });
    lone.stand();
    lone.ask(9, of(9), ['theirs']);
    expect(lone.status).toMatchObject({ role: 'candidate', term: 2 });
  });

  it.each(requests)('is told of by a refusal with its name, by %s', (_kind, of) => {
    const lone = new Lone({ terms: [1], term: 2 });
    lone.ask(9, of(9), ['theirs']);
    expect(lone.effectsOf('refused')).toMatchObject([{ from: idOf(9) }]);
    expect(lone.effectsOf('refused')[0]?.refusal.code).toBe('raft-stranger');
  });

  it.each(requests)('does not push an election back by %s', (_kind, of) => {
    const stands = (disturb: (lone: Lone) => void) => {
      const lone = new Lone({ terms: [1], seed: 5 });
      for (let ms = 0; lone.status.role === 'follower' && ms < 5000; ms += 50) {
        disturb(lone);
        lone.elapse(50);
      }
      return lone.server.nowMs;
    };
    expect(stands((lone) => lone.send(9, of(9), ['theirs']))).toBe(stands(() => undefined));
  });

  it('that claims to be a member in the message is judged by who the connection says it is', () => {
    const lone = new Lone({ terms: [1], term: 2 });
    const claim = { id: idOf(2), address: addressOf(2) };
    lone.send(9, { ...requestVote({ from: 2, term: 99, last: [50, 98] }), sender: claim });
    lone.send(9, { ...heartbeat({ from: 2, term: 99 }), sender: claim });
    expect(lone.status).toMatchObject({ term: 2, leader: null });
  });

  it('is no leader even of a server without any configuration', () => {
    const lone = new Lone({ terms: [] });
    for (const [, of] of requests) lone.send(9, of(9), ['theirs']);
    expect(lone.status).toMatchObject({ term: 0, lastIndex: 0, leader: null });
    expect(lone.effectsOf('persist')).toEqual([]);
  });
});

describe('whom the operator lists but no configuration here names', () => {
  it('leads a blank server', () => {
    const lone = new Lone({ terms: [] });
    lone.listed = [7];
    expect(lone.ask(7, appendEntries({ from: 7, term: 3, entries: [command(1, 1)] })).success).toBe(true);
    expect(lone.status).toMatchObject({ term: 3, leader: { id: idOf(7) }, lastIndex: 1 });
  });

  it('leads one that was away while all whom it knew were replaced', () => {
    const lone = new Lone({ terms: [1, 1], term: 1 });
    lone.listed = [7, 8];
    const entries = [command(3, 9)];
    expect(lone.ask(7, appendEntries({ from: 7, term: 9, prev: [2, 1], entries })).success).toBe(true);
    expect(lone.status).toMatchObject({ term: 9, leader: { id: idOf(7) } });
  });

  it('brings it up to date by a snapshot, too', () => {
    const lone = new Lone({ terms: [1, 1], term: 1 });
    lone.listed = [7, 8];
    const request = installSnapshot({ from: 7, term: 9, last: [40, 8], configuration: configurationOf([7, 8, 1]) });
    expect(lone.ask(7, request, ['a']).success).toBe(true);
    expect(lone.status.configuration.configuration).toEqual(configurationOf([7, 8, 1]));
  });
});

describe('another history under the same indexes', () => {
  it('that would change what was committed here is refused, and nothing is cut', () => {
    const lone = new Lone({ terms: [1, 1, 1] });
    lone.ask(2, appendEntries({ from: 2, term: 1, prev: [3, 1], commit: 3 }));
    const before = lone.server.applied.map(({ text }) => text);
    const entries = [command(2, 5, 'other'), command(3, 5, 'other')];
    expect(lone.ask(3, appendEntries({ from: 3, term: 5, prev: [1, 1], entries, commit: 3 })).success).toBe(false);
    expect(lone.server.terms).toEqual([1, 1, 1]);
    expect(lone.server.applied.map(({ text }) => text)).toEqual(before);
    const [refused] = lone.effectsOf('refused');
    expect(refused).toMatchObject({ from: idOf(3), refusal: { details: { ownTerm: 1, theirTerm: 5 } } });
  });

  it('does not come in by a snapshot either: one of another term at an index that is committed here', () => {
    const lone = new Lone({ terms: [1, 1, 1, 1] });
    lone.ask(2, appendEntries({ from: 2, term: 1, prev: [4, 1], commit: 4 }));
    const request = installSnapshot({ from: 3, term: 5, last: [3, 4], configuration: configurationOf([1, 2, 3]) });
    lone.ask(3, request, ['other']);
    expect(lone.server.applied.map(({ text }) => text)).toEqual(['x2', 'x3', 'x4']);
    expect(lone.status.commitIndex).toBe(4);
  });

  it('a node with a cluster of its own is not led by another: it would throw its history away', () => {
    const alone = configurationOf([1]);
    const lone = new Lone({ terms: [1], configuration: alone });
    lone.elapseUntil(() => lone.status.commitIndex === 2);
    lone.listed = [2, 3];
    const entries = [command(2, 7, 'theirs')];
    expect(lone.ask(2, appendEntries({ from: 2, term: 9, prev: [1, 1], entries, commit: 2 })).success).toBe(false);
    const request = installSnapshot({ from: 2, term: 9, last: [50, 8], configuration: configurationOf([2, 3, 1]) });
    expect(lone.ask(2, request, ['theirs']).success).toBe(false);
    expect(lone.status).toMatchObject({ commitIndex: 2, lastIndex: 2 });
    expect(lone.effectsOf('refused').length).toBeGreaterThan(0);
  });

  it('two leaders of one term are two clusters: neither gives way, and it is told', () => {
    const lone = leaderOf({ terms: [1] });
    const entries = [command(3, 2, 'theirs')];
    expect(lone.ask(2, appendEntries({ from: 2, term: 2, prev: [2, 2], entries })).success).toBe(false);
    expect(lone.status).toMatchObject({ role: 'leader', lastIndex: 2 });
    expect(lone.effectsOf('refused')).toHaveLength(1);
  });
});

describe('entries that would make a Go node panic', () => {
  const types = [6, 7, 100, 255];

  it.each(types)('of type %i are not taken from a leader, nor what comes with them', (type) => {
    const lone = new Lone({ terms: [1], term: 2 });
    const strange = { ...command(3, 2), type: type as Entry['type'] };
    const answer = lone.ask(2, appendEntries({ from: 2, term: 2, prev: [1, 1], entries: [command(2, 2), strange] }));
    expect(answer.success).toBe(false);
    expect(lone.server.disk.entries.every((entry) => entry.type <= 5)).toBe(true);
  });

  it.each(types)('of type %i are not proposed', (type) => {
    const lone = leaderOf({ terms: [1] });
    lone.step({ kind: 'propose', proposals: [{ number: 1, type: type as 0, data: Uint8Array.of(1) }] });
    expect(lone.server.terms).toEqual([1, 2]);
    expect(lone.effectsOf('proposed')).toEqual([]);
    expect(lone.effectsOf('refusedProposal')).toHaveLength(1);
  });

  it('a configuration is not proposed as a command would be', () => {
    const lone = leaderOf({ terms: [1] });
    const type = ENTRY_TYPES.configuration as unknown as 0;
    lone.step({ kind: 'propose', proposals: [{ number: 1, type, data: Uint8Array.of(1) }] });
    expect(lone.server.terms).toEqual([1, 2]);
    expect(lone.status.configuration.index).toBe(1);
  });

  it('a configuration that does not decode is not taken', () => {
    const lone = new Lone({ terms: [1], term: 2 });
    const strange: Entry = { ...command(2, 2), type: ENTRY_TYPES.configuration, data: Uint8Array.of(0xc1) };
    expect(lone.ask(2, appendEntries({ from: 2, term: 2, prev: [1, 1], entries: [strange] })).success).toBe(false);
    expect(lone.status).toMatchObject({ lastIndex: 1, configuration: { index: 1 } });
  });
});

describe('requests that contradict themselves', () => {
  const options: LoneOptions = { terms: [1, 1], term: 2 };
  const cases: readonly (readonly [string, Position, readonly Entry[]])[] = [
    ['a gap behind the previous entry', [2, 1], [command(4, 2)]],
    ['a gap between entries', [2, 1], [command(3, 2), command(5, 2)]],
    ['entries out of order', [2, 1], [command(4, 2), command(3, 2)]],
    ['an entry twice', [2, 1], [command(3, 2), command(3, 2)]],
    ['an entry before the previous one', [2, 1], [command(1, 2)]],
    ['a term that falls', [2, 1], [command(3, 2), command(4, 1)]],
    ['a term that is later than the leader’s', [2, 1], [command(3, 3)]],
    ['a first term that is earlier than the previous one', [2, 1], [command(3, 0)]],
    ['index 0', [0, 0], [command(0, 1)]],
    ['a previous index without a term', [2, 0], [command(3, 2)]],
    ['a previous term without an index', [0, 7], [command(1, 2)]],
    ['a previous term without an index, and nothing else', [0, 2], []],
    ['a previous index without a term, and nothing else', [2, 0], []],
    ['a previous term that is later than the leader’s', [2, 3], []],
  ];

  it.each(cases)('%s: refused, nothing written', (_what, prev, entries) => {
    const lone = new Lone(options);
    expect(lone.ask(2, appendEntries({ from: 2, term: 2, prev, entries, commit: 5 })).success).toBe(false);
    expect(lone.server.terms).toEqual([1, 1]);
    expect(lone.status.commitIndex).toBe(0);
  });

  it.each(cases)('%s: does not keep the next request from being taken', (_what, prev, entries) => {
    const lone = new Lone(options);
    lone.ask(2, appendEntries({ from: 2, term: 2, prev: [2, 1], commit: 2 }));
    lone.ask(2, appendEntries({ from: 2, term: 2, prev, entries, commit: 5 }));
    const right = appendEntries({ from: 2, term: 2, prev: [2, 1], entries: [command(3, 2)], commit: 3 });
    expect(lone.ask(2, right).success).toBe(true);
    expect(lone.status.commitIndex).toBe(3);
  });

  it('a term of 0 is nobody’s', () => {
    const lone = new Lone({ terms: [] });
    lone.send(2, heartbeat({ from: 2, term: 0 }));
    lone.send(2, requestVote({ from: 2, term: 0, last: [0, 0] }));
    expect(lone.server.disk.hardState).toEqual({ term: 0, votedFor: null });
    expect(lone.status.leader).toBeNull();
  });

  it('the greatest numbers are numbers', () => {
    const lone = new Lone(options);
    const huge = Number.MAX_SAFE_INTEGER;
    lone.send(2, appendEntries({ from: 2, term: 2, prev: [huge, 2], entries: [], commit: huge }));
    lone.send(2, requestVote({ from: 2, term: huge, last: [huge, huge] }));
    lone.send(2, installSnapshot({ from: 2, term: 1, last: [huge, huge], configuration: configurationOf([1, 2]) }));
    lone.elapse(5000);
    for (const call of lone.calls('preVote')) lone.answer(call, { kind: 'preVote', term: huge, granted: true });
    expect(lone.status.term).toBeLessThanOrEqual(huge);
  });

  it('a snapshot without servers in its configuration is refused', () => {
    const lone = new Lone(options);
    const request = installSnapshot({ from: 2, term: 2, last: [9, 2], configuration: { servers: [] } });
    expect(lone.ask(2, request, ['a']).success).toBe(false);
    expect(lone.status.configuration.index).toBe(1);
  });

  it('a snapshot whose configuration is said to be behind its end is refused', () => {
    const lone = new Lone(options);
    const configuration = configurationOf([1, 2, 3]);
    const request = installSnapshot({ from: 2, term: 2, last: [9, 2], configuration, configurationIndex: 10 });
    expect(lone.ask(2, request, ['a']).success).toBe(false);
  });

  it('a vote for the address of another member is no vote: that one would then have it as well', () => {
    const lone = new Lone(options);
    const claim = { ...requestVote({ from: 2, term: 3, last: [2, 1] }), candidate: addressOf(3) };
    const first = lone.ask(2, claim).granted;
    const second = lone.ask(3, requestVote({ from: 3, term: 3, last: [2, 1] })).granted;
    expect([first, second]).toEqual([false, true]);
    expect(lone.effectsOf('refused')[0]?.refusal.code).toBe('raft-address-of-another');
  });

  it('a member that has moved to an address that nobody has may have votes', () => {
    const lone = new Lone(options);
    const request = { ...requestVote({ from: 2, term: 3, last: [2, 1] }), candidate: 'h2:7777' };
    expect(lone.ask(2, request).granted).toBe(true);
  });

  it('a vote for an empty address is no vote', () => {
    const lone = new Lone(options);
    lone.send(2, { ...requestVote({ from: 2, term: 3, last: [2, 1] }), candidate: '' });
    expect(lone.server.disk.hardState.votedFor).not.toBe('');
  });

  it('answers of another kind than the call are no answers', () => {
    const lone = new Lone({ terms: [1] });
    lone.stand();
    for (const call of lone.calls('requestVote')) lone.answer(call, { kind: 'preVote', term: 2, granted: true });
    expect(lone.status.role).toBe('candidate');
  });

  it('an answer that nobody waits for is nothing', () => {
    const lone = leaderOf({ terms: [1] });
    const before = lone.status;
    lone.step({ kind: 'answered', call: 123_456, response: { kind: 'requestVote', term: 77, granted: true } });
    lone.step({ kind: 'callFailed', call: 123_457, failure: 'closed' });
    expect(lone.status).toEqual(before);
  });
});

describe('older versions, which say less of themselves', () => {
  it('entries and votes count by who the connection says that they are', () => {
    const lone = new Lone({ terms: [1] });
    expect(lone.ask(2, requestVote({ from: 2, term: 2, last: [1, 1], sender: NO_CLAIM })).granted).toBe(true);
    const entries = appendEntries({ from: 2, term: 2, prev: [1, 1], entries: [command(2, 2)], sender: NO_CLAIM });
    expect(lone.ask(2, entries).success).toBe(true);
    expect(lone.status.leader).toEqual({ id: idOf(2), address: addressOf(2) });
  });

  it.each([0, 1, 4])(
    'protocol version %i is not spoken with one of version 3, but for heartbeats',
    (protocolVersion) => {
      // A Go node answers these with an error text, which is the wire's business: no state may follow from them here.
      const lone = new Lone({ terms: [1], term: 2 });
      lone.send(2, requestVote({ from: 2, term: 3, last: [9, 2], protocolVersion }));
      lone.send(2, appendEntries({ from: 2, term: 3, prev: [1, 1], entries: [command(2, 3)], protocolVersion }));
      expect(lone.server.terms.length).toBeLessThanOrEqual(2);
    },
  );
});
