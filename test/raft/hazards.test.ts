/**
 * What a server that joins others' clusters must refuse: strangers, their terms, other histories under the same indexes,
 * entries that make other programs panic. Server 1 is the engine; 2 and 3 are its peers, and 9 is nobody that it knows.
 */
import { describe, expect, it } from 'vitest';
import { refuse } from '../../src/base/result.ts';
import { ENTRY_TYPES, type Entry, type RaftRequest } from '../../src/raft/messages.ts';
import { RaftDisk } from './disk.ts';
import { engineOf, TEST_LIMITS, TEST_TIMINGS } from './engine-under-test.ts';
import { leaderOf, Lone } from './lone.ts';
import {
  addressOf,
  appendEntries,
  command,
  configurationOf,
  heartbeat,
  idOf,
  installSnapshot,
  logOf,
  NO_CLAIM,
  preVote,
  requestVote,
  testCodec,
  timeoutNow,
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
    const refusal = { code: 'raft-conflict-below-commit', details: { ownTerm: 1, theirTerm: 5, leader: idOf(3) } };
    expect(refused).toMatchObject({ from: idOf(3), refusal });
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
    expect(new Set(lone.effectsOf('refused').map(({ refusal }) => refusal.code))).toEqual(
      new Set(['raft-foreign-history']),
    );
  });

  it('two leaders of one term are two clusters: neither gives way, and it is told', () => {
    const lone = leaderOf({ terms: [1] });
    const entries = [command(3, 2, 'theirs')];
    expect(lone.ask(2, appendEntries({ from: 2, term: 2, prev: [2, 2], entries })).success).toBe(false);
    expect(lone.status).toMatchObject({ role: 'leader', lastIndex: 2 });
    expect(lone.effectsOf('refused')).toMatchObject([{ from: idOf(2), refusal: { code: 'raft-two-leaders' } }]);
  });
});

describe('a server that was told of another history', () => {
  const told = refuse('raft-foreign-history', 'another one').refusal;

  it('asks nobody for a vote and obeys nobody until it is told to forget it', () => {
    const lone = new Lone({ terms: [1] });
    lone.step({ kind: 'foreignHistory', refusal: told });
    lone.elapse(20 * TEST_TIMINGS.electionMs);
    expect(lone.calls('preVote')).toEqual([]);
    expect(lone.ask(2, appendEntries({ from: 2, term: 2, prev: [1, 1] })).success).toBe(false);
    lone.step({ kind: 'foreignHistory', refusal: null });
    expect(lone.ask(2, appendEntries({ from: 2, term: 2, prev: [1, 1] })).success).toBe(true);
    lone.win();
  });

  it('stands as the only voter, who asks nobody', () => {
    const lone = new Lone({ terms: [1], configuration: configurationOf([1], [2]) });
    lone.step({ kind: 'foreignHistory', refusal: told });
    lone.elapseUntil(() => lone.status.role === 'leader');
  });

  it('does not forget what contradicts a committed entry', () => {
    const lone = new Lone({ terms: [1, 1] });
    lone.ask(2, appendEntries({ from: 2, term: 1, prev: [2, 1], commit: 2 }));
    lone.ask(2, appendEntries({ from: 2, term: 2, prev: [2, 2] }));
    lone.step({ kind: 'foreignHistory', refusal: null });
    lone.elapse(20 * TEST_TIMINGS.electionMs);
    expect(lone.calls('preVote')).toEqual([]);
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

describe('older versions, which say less of themselves', () => {
  it('entries and votes count by who the connection says that they are', () => {
    const lone = new Lone({ terms: [1] });
    expect(lone.ask(2, requestVote({ from: 2, term: 2, last: [1, 1], sender: NO_CLAIM })).granted).toBe(true);
    const entries = appendEntries({ from: 2, term: 2, prev: [1, 1], entries: [command(2, 2)], sender: NO_CLAIM });
    expect(lone.ask(2, entries).success).toBe(true);
    expect(lone.status.leader).toEqual({ id: idOf(2), address: addressOf(2) });
  });

  it('in protocol version 2 a server is added under its address as its id, or not at all', () => {
    const self = { id: addressOf(1), address: addressOf(1) };
    const disk = new RaftDisk();
    const configuration = { servers: [{ ...self, suffrage: 'voter' as const }] };
    disk.write({ hardState: { term: 1, votedFor: null }, truncateFrom: null, entries: logOf(configuration, [1]) });
    const engine = engineOf({
      ...{ self, protocolVersion: 2, timings: TEST_TIMINGS, limits: TEST_LIMITS, seed: 1, codec: testCodec },
      ...{
        hardState: disk.hardState,
        log: disk,
        snapshot: null,
        configurations: disk.configurations(0),
        appliedIndex: 0,
      },
    });
    engine.step({ kind: 'started' }, 0);
    engine.step({ kind: 'persisted', persist: 1 }, 0);
    engine.step({ kind: 'persisted', persist: 2 }, 0);
    const add = (id: string) => ({ kind: 'addNonvoter', id, address: addressOf(2) }) as const;
    const refused = engine.step({ kind: 'changeConfiguration', request: 1, change: add(idOf(2)) }, 0);
    expect(refused).toMatchObject([{ kind: 'unsettled', refusal: { code: 'raft-id-not-address' } }]);
    engine.step({ kind: 'changeConfiguration', request: 2, change: add(addressOf(2)) }, 0);
    expect(engine.status().configuration.configuration.servers).toHaveLength(2);
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
