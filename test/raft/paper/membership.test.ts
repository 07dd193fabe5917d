/**
 * Raft, section 6, and dissertation, chapter 4: one server at a time (4.1), catching up before voting (4.2.1), a leader
 * that is removed (4.2.2). Server 1 is the engine; the test speaks for the others.
 */
import { describe, expect, it } from 'vitest';
import type { ConfigurationChange } from '../../../src/raft/contract.ts';
import { ENTRY_TYPES } from '../../../src/raft/messages.ts';
import { accepted, leaderOf, Lone } from '../lone.ts';
import {
  addressOf,
  appendEntries,
  command,
  configurationEntry,
  configurationOf,
  decodeConfiguration,
  idOf,
  logOf,
} from '../words.ts';

const add = (server: number): ConfigurationChange => ({
  kind: 'addVoter',
  id: idOf(server),
  address: addressOf(server),
});
const addNonvoter = (server: number): ConfigurationChange =>
  ({ ...add(server), kind: 'addNonvoter' }) as ConfigurationChange;
const remove = (server: number): ConfigurationChange => ({ kind: 'removeServer', id: idOf(server) });
const demote = (server: number): ConfigurationChange => ({ kind: 'demoteVoter', id: idOf(server) });

function change(lone: Lone, wanted: ConfigurationChange, request = 1): void {
  lone.step({ kind: 'changeConfiguration', request, change: wanted });
}

function codesOf(lone: Lone): string[] {
  return lone.effectsOf('unsettled').map(({ refusal }) => refusal.code);
}

describe('a change of the configuration', () => {
  it('is an entry of the log, and in force as soon as it is in it, at the leader', () => {
    const lone = leaderOf({ terms: [1] });
    change(lone, addNonvoter(4));
    const entry = lone.server.entry(3);
    expect(entry).toMatchObject({ type: ENTRY_TYPES.configuration, term: 2 });
    expect(decodeConfiguration(entry?.data ?? new Uint8Array())).toEqual(configurationOf([1, 2, 3], [4]));
    expect(lone.status.configuration.index).toBe(3);
    expect(lone.status.committedConfiguration.index).toBe(1);
    expect(lone.calls('appendEntries', 4).length).toBeGreaterThan(0);
  });

  it('and at a follower, committed or not', () => {
    const lone = new Lone({ terms: [1], term: 2 });
    const entries = [configurationEntry(2, 2, configurationOf([1, 2, 3], [4]))];
    lone.ask(2, appendEntries({ from: 2, term: 2, prev: [1, 1], entries }));
    expect(lone.status.configuration).toEqual({ index: 2, configuration: configurationOf([1, 2, 3], [4]) });
    expect(lone.status.committedConfiguration.index).toBeLessThan(2);
  });

  it('that is cut from the log is taken back', () => {
    const lone = new Lone({ terms: [1], term: 2 });
    const entries = [configurationEntry(2, 2, configurationOf([1, 2, 3, 4]))];
    lone.ask(2, appendEntries({ from: 2, term: 2, prev: [1, 1], entries }));
    lone.ask(3, appendEntries({ from: 3, term: 3, prev: [1, 1], entries: [command(2, 3)] }));
    expect(lone.status.configuration).toEqual({ index: 1, configuration: configurationOf([1, 2, 3]) });
    expect(lone.effectsOf('configurationChanged').at(-1)).toMatchObject({ latest: { index: 1 } });
  });

  it('that is cut, the second of two in the log, leaves the first in force', () => {
    const lone = new Lone({ terms: [1], term: 2 });
    const first = configurationEntry(2, 2, configurationOf([1, 2, 3], [4]));
    const second = configurationEntry(3, 2, configurationOf([1, 2, 3, 4]));
    lone.ask(2, appendEntries({ from: 2, term: 2, prev: [1, 1], entries: [first, second], commit: 2 }));
    lone.ask(3, appendEntries({ from: 3, term: 3, prev: [2, 2], entries: [command(3, 3)], commit: 2 }));
    expect(lone.status.configuration).toEqual({ index: 2, configuration: configurationOf([1, 2, 3], [4]) });
  });

  it('is settled when it is committed', () => {
    const lone = leaderOf({ terms: [1] });
    change(lone, addNonvoter(4));
    expect(lone.effectsOf('settled')).toEqual([]);
    lone.acknowledge(2);
    expect(lone.effectsOf('settled')).toEqual([{ kind: 'settled', request: 1, index: 3 }]);
    expect(lone.status.committedConfiguration.index).toBe(3);
  });

  it('of a restarted server is the last one in its log', () => {
    const entries = [
      ...logOf(configurationOf([1, 2, 3]), [1]),
      configurationEntry(2, 2, configurationOf([1, 2, 3, 4])),
    ];
    const lone = new Lone({ entries });
    expect(lone.status.configuration).toEqual({ index: 2, configuration: configurationOf([1, 2, 3, 4]) });
  });
});

describe('4.1, one server at a time', () => {
  it('a second change waits for the first or is refused, and is never in the log with it', () => {
    const lone = leaderOf({ terms: [1] });
    change(lone, addNonvoter(4), 1);
    change(lone, addNonvoter(5), 2);
    const uncommitted = lone.server.terms.length - lone.status.commitIndex;
    expect(uncommitted).toBe(1);
    expect(codesOf(lone)).toEqual(['raft-configuration-pending']);
    expect(lone.status.configuration.configuration).toEqual(configurationOf([1, 2, 3], [4]));
  });

  it('no change before the leader has committed something in its term', () => {
    // Ongaro's message "bug in single-server membership changes" (raft-dev, July 2015).
    const lone = new Lone({ terms: [1] });
    lone.ask(2, appendEntries({ from: 2, term: 1, prev: [1, 1], commit: 1 }));
    lone.win();
    expect(lone.status.committedConfiguration.index).toBe(1);
    change(lone, addNonvoter(4));
    expect(codesOf(lone)).toEqual(['raft-configuration-pending']);
    expect(lone.server.terms).toEqual([1, 2]);
  });

  it('a leader that took over an uncommitted configuration changes none before that one is committed', () => {
    const entries = [
      ...logOf(configurationOf([1, 2, 3]), [1]),
      configurationEntry(2, 1, configurationOf([1, 2, 3], [4])),
    ];
    const lone = new Lone({ entries });
    lone.win();
    change(lone, addNonvoter(5));
    expect(lone.server.terms).toEqual([1, 1, 2]);
    lone.acknowledge(2);
    change(lone, addNonvoter(5), 2);
    expect(lone.status.configuration.configuration).toEqual(configurationOf([1, 2, 3], [4, 5]));
  });

  it('who does not lead changes nothing', () => {
    const lone = new Lone({ terms: [1] });
    change(lone, addNonvoter(4));
    expect(codesOf(lone)).toEqual(['not-leader']);
  });

  it.each([
    ['the last voter is removed', remove(1)],
    ['the last voter is demoted', demote(1)],
  ])('no change after which nobody votes: %s', (_what, wanted) => {
    const lone = new Lone({ terms: [1], configuration: configurationOf([1]) });
    lone.elapseUntil(() => lone.status.commitIndex === 2);
    change(lone, wanted);
    expect(codesOf(lone)).toEqual(['raft-configuration-invalid']);
    expect(lone.status).toMatchObject({ role: 'leader', configuration: { index: 1 } });
  });

  it('a change that names another configuration than the present one is refused', () => {
    const lone = leaderOf({ terms: [1] });
    change(lone, { ...addNonvoter(4), prevIndex: 7 });
    expect(codesOf(lone)).toEqual(['raft-configuration-moved']);
    change(lone, { ...addNonvoter(4), prevIndex: 1 }, 2);
    expect(lone.status.configuration.index).toBe(3);
  });

  it('a server that is not in the configuration is neither removed nor demoted', () => {
    const lone = leaderOf({ terms: [1] });
    change(lone, remove(9), 1);
    change(lone, demote(9), 2);
    expect(codesOf(lone)).toEqual(['raft-unknown-server', 'raft-unknown-server']);
  });

  it('no two servers have one id or one address', () => {
    const lone = leaderOf({ terms: [1] });
    change(lone, { kind: 'addNonvoter', id: idOf(4), address: addressOf(2) });
    expect(codesOf(lone)).toEqual(['raft-configuration-invalid']);
    expect(lone.status.configuration.index).toBe(1);
  });
});

describe('majorities', () => {
  it('a voter that joins is counted as soon as the entry is in the log', () => {
    const lone = leaderOf({ terms: [1], configuration: configurationOf([1, 2, 3], [4]) });
    change(lone, add(4));
    expect(lone.status.configuration.index).toBe(3);
    lone.acknowledge(2);
    expect(lone.status.commitIndex).toBe(2);
    lone.acknowledge(4);
    expect(lone.status.commitIndex).toBe(3);
  });

  it('a voter that leaves is not counted for the entry that removes it', () => {
    const lone = leaderOf({ terms: [1] });
    change(lone, remove(3));
    expect(lone.status.configuration.configuration).toEqual(configurationOf([1, 2]));
    lone.acknowledge(3);
    expect(lone.status.commitIndex).toBe(2);
    lone.acknowledge(2);
    expect(lone.status.commitIndex).toBe(3);
  });

  it('a non-voter is counted neither for an entry nor in an election', () => {
    const lone = new Lone({ terms: [1], configuration: configurationOf([1, 2, 3], [4, 5]) });
    lone.stand();
    expect(lone.calls('requestVote').map(({ to }) => to)).toEqual([idOf(2), idOf(3)]);
    lone.win(2);
    for (const nonvoter of [4, 5]) lone.acknowledge(nonvoter);
    expect(lone.status.commitIndex).toBe(0);
    lone.acknowledge(2);
    expect(lone.status.commitIndex).toBe(2);
  });

  it('nor does it keep a leader from stepping down', () => {
    const lone = leaderOf({ terms: [1], configuration: configurationOf([1, 2, 3], [4, 5]) });
    for (let ms = 0; ms < 2000; ms += 10) {
      lone.elapse(10);
      for (const nonvoter of [4, 5]) lone.acknowledge(nonvoter);
    }
    expect(lone.status.role).not.toBe('leader');
  });

  it('a non-voter follows, and never stands', () => {
    const lone = new Lone({ terms: [1], configuration: configurationOf([2, 3], [1]) });
    lone.elapse(20_000);
    expect(lone.status).toMatchObject({ role: 'follower', term: 1 });
    expect(lone.open).toEqual([]);
    const request = appendEntries({ from: 2, term: 2, prev: [1, 1], entries: [command(2, 2)], commit: 2 });
    expect(lone.ask(2, request).success).toBe(true);
    expect(lone.status.commitIndex).toBe(2);
  });

  it('a blank server, which no configuration names, waits to be told', () => {
    const lone = new Lone({ terms: [] });
    lone.elapse(60_000);
    expect(lone.status).toMatchObject({ role: 'follower', term: 0, lastIndex: 0 });
    expect(lone.open).toEqual([]);
    expect(lone.effectsOf('persist')).toEqual([]);
  });
});

describe('4.2.1, catching up before voting', () => {
  it('a non-voter far behind is not promoted, and is once it has caught up', () => {
    const lone = leaderOf({ terms: [1, 1, 1, 1, 1, 1, 1, 1, 1, 1], configuration: configurationOf([1, 2, 3], [4]) });
    // Four holds everything; then it misses more entries than `maxTrailingToPromote`.
    for (let i = 0; i < 10; i++) {
      lone.propose(`w${i}`);
      lone.acknowledge(2);
    }
    expect(lone.status.commitIndex).toBe(21);
    change(lone, add(4));
    expect(codesOf(lone)).toEqual(['not-caught-up']);
    expect(lone.status.configuration.configuration).toEqual(configurationOf([1, 2, 3], [4]));
    lone.acknowledge(4);
    change(lone, add(4), 2);
    lone.acknowledge(2);
    lone.acknowledge(3);
    expect(lone.status.configuration.configuration.servers).toContainEqual({
      id: idOf(4),
      address: addressOf(4),
      suffrage: 'voter',
    });
  });

  it('a server that nobody has heard of is not a voter at once', () => {
    const lone = leaderOf({ terms: [1, 1, 1, 1, 1, 1, 1, 1, 1, 1] });
    change(lone, add(4));
    const votes = lone.status.configuration.configuration.servers.find(({ id }) => id === idOf(4))?.suffrage;
    expect(votes).not.toBe('voter');
  });
});

describe('4.2.2, a leader that is removed', () => {
  it('leads until the change is committed, not counting itself, and then no more', () => {
    const lone = leaderOf({ terms: [1] });
    change(lone, remove(1));
    expect(lone.status.role).toBe('leader');
    lone.acknowledge(2);
    expect(lone.status).toMatchObject({ role: 'leader', commitIndex: 2 });
    const [call] = lone.appends(3);
    if (!call) throw new Error('a follower is sent to');
    lone.answer(call, accepted(call.request));
    expect(lone.effectsOf('settled')).toEqual([{ kind: 'settled', request: 1, index: 3 }]);
    expect(lone.status).toMatchObject({ commitIndex: 3, role: 'follower' });
  });

  it('stands for no election afterwards', () => {
    const lone = leaderOf({ terms: [1] });
    change(lone, remove(1));
    lone.acknowledge(2);
    lone.acknowledge(3);
    lone.open.length = 0;
    lone.elapse(20_000);
    expect(lone.status).toMatchObject({ role: 'follower', term: 2 });
    expect([...lone.calls('preVote'), ...lone.calls('requestVote')]).toEqual([]);
  });

  it('a leader that is demoted leads no more once that is committed', () => {
    const lone = leaderOf({ terms: [1] });
    change(lone, demote(1));
    lone.acknowledge(2);
    lone.acknowledge(3);
    expect(lone.status).toMatchObject({ role: 'follower', commitIndex: 3 });
    lone.open.length = 0;
    lone.elapse(20_000);
    expect([...lone.calls('preVote'), ...lone.calls('requestVote')]).toEqual([]);
  });

  it('a server that is removed is sent nothing once that is committed', () => {
    const lone = leaderOf({ terms: [1] });
    change(lone, remove(3));
    lone.acknowledge(2);
    for (const call of lone.calls('appendEntries', 3)) lone.fail(call, 'unreachable');
    const before = lone.effectsOf('call').filter(({ to }) => to === idOf(3)).length;
    for (let ms = 0; ms < 3000; ms += 10) {
      lone.elapse(10);
      lone.acknowledge(2);
    }
    expect(lone.effectsOf('call').filter(({ to }) => to === idOf(3))).toHaveLength(before);
    expect(lone.status.followers.map(({ id }) => id)).toEqual([idOf(2)]);
  });
});
