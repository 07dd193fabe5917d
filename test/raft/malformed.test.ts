/**
 * Requests that contradict themselves, and answers that are none: refused with a code, nothing written, and the next right
 * request is taken. Server 1 is the engine; 2 and 3 are its peers.
 */
import { describe, expect, it } from 'vitest';
import type { Entry } from '../../src/raft/messages.ts';
import { leaderOf, Lone, type LoneOptions } from './lone.ts';
import {
  addressOf,
  appendEntries,
  command,
  configurationOf,
  heartbeat,
  installSnapshot,
  requestVote,
  type Position,
} from './words.ts';

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
    expect(lone.effectsOf('refused')).toMatchObject([{ refusal: { code: 'raft-request-malformed' } }]);
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
