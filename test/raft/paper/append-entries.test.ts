/**
 * Raft, figure 2: "AppendEntries RPC" at who receives it, rules 1 to 5, and "All servers": what is committed is applied.
 * Server 1 is the engine; the test speaks for its leader.
 */
import { describe, expect, it } from 'vitest';
import { Lone } from '../lone.ts';
import { addressOf, appendEntries, command, heartbeat, idOf, noop } from '../words.ts';

describe('AppendEntries, receiver, rule 1', () => {
  it.each(['entries', 'heartbeat'])('a leader of an older term is refused, by %s, and told the newer term', (by) => {
    const lone = new Lone({ terms: [1, 1], term: 5 });
    const request =
      by === 'heartbeat'
        ? heartbeat({ from: 2, term: 4 })
        : appendEntries({ from: 2, term: 4, prev: [2, 1], entries: [command(3, 4)], commit: 3 });
    expect(lone.ask(2, request)).toMatchObject({ term: 5, success: false });
    expect(lone.status).toMatchObject({ term: 5, leader: null, commitIndex: 0 });
    expect(lone.server.terms).toEqual([1, 1]);
  });
});

describe('AppendEntries, receiver, rule 2', () => {
  it.each([
    { prev: [3, 2] as const, why: 'the log ends before it' },
    { prev: [2, 2] as const, why: 'another term is there' },
    { prev: [1000, 2] as const, why: 'the log ends long before it' },
  ])('refuses what comes after $prev, as $why', ({ prev }) => {
    const lone = new Lone({ terms: [1, 1], term: 2 });
    const entries = [command(prev[0] + 1, 2)];
    const answer = lone.ask(2, appendEntries({ from: 2, term: 2, prev, entries, commit: 2 }));
    expect(answer).toMatchObject({ term: 2, success: false, noRetryBackoff: true });
    expect(answer.lastIndex).toBeLessThan(prev[0] + 1);
    expect(lone.server.terms).toEqual([1, 1]);
    expect(lone.status.commitIndex).toBe(0);
  });

  it('the answer tells where the log ends, so that the leader need not go back one by one (section 5.3)', () => {
    const lone = new Lone({ terms: [1, 1], term: 2 });
    expect(lone.ask(2, appendEntries({ from: 2, term: 2, prev: [50, 2] })).lastIndex).toBe(2);
  });

  it('who refuses still knows the leader, and waits anew', () => {
    const lone = new Lone({ terms: [1, 1], term: 2 });
    lone.elapse(900);
    lone.ask(2, appendEntries({ from: 2, term: 2, prev: [3, 2] }));
    lone.elapse(900);
    expect(lone.status).toMatchObject({ role: 'follower', leader: { id: idOf(2), address: addressOf(2) } });
  });

  it('an empty log agrees with what begins at its beginning', () => {
    const lone = new Lone({ terms: [] });
    const entries = [noop(1, 1), command(2, 1)];
    expect(lone.ask(2, appendEntries({ from: 2, term: 1, entries }))).toMatchObject({ success: true });
    expect(lone.server.disk.entries).toEqual(entries);
  });
});

describe('AppendEntries, receiver, rule 3', () => {
  it('an entry of another term at the same index goes, and all behind it', () => {
    const lone = new Lone({ terms: [1, 1, 2, 2, 2], term: 3 });
    const entries = [command(4, 3, 'new')];
    expect(lone.ask(2, appendEntries({ from: 2, term: 3, prev: [3, 2], entries })).success).toBe(true);
    expect(lone.server.terms).toEqual([1, 1, 2, 3]);
    expect(lone.server.disk.entry(4)).toEqual(entries[0]);
    expect(lone.effectsOf('persist').at(-1)).toMatchObject({ truncateFrom: 4, entries });
  });

  it('nothing goes when nothing conflicts: an old request that comes late takes nothing away', () => {
    const lone = new Lone({ terms: [1, 1, 2, 2, 2] });
    const written = lone.effectsOf('persist').length;
    const entries = [command(3, 2)];
    expect(lone.ask(2, appendEntries({ from: 2, term: 2, prev: [2, 1], entries })).success).toBe(true);
    expect(lone.ask(2, appendEntries({ from: 2, term: 2, prev: [1, 1] })).success).toBe(true);
    expect(lone.server.terms).toEqual([1, 1, 2, 2, 2]);
    expect(lone.effectsOf('persist')).toHaveLength(written);
  });

  it('a conflict in the midst of a request leaves what agrees', () => {
    const lone = new Lone({ terms: [1, 1, 2, 2, 2], term: 3 });
    const entries = [command(2, 1), command(3, 2), command(4, 3), command(5, 3)];
    lone.ask(2, appendEntries({ from: 2, term: 3, prev: [1, 1], entries }));
    expect(lone.server.terms).toEqual([1, 1, 2, 3, 3]);
    expect(lone.effectsOf('persist').at(-1)).toMatchObject({ truncateFrom: 4, entries: entries.slice(2) });
  });

  it('what is cut while it is not yet written is never on the disk', () => {
    const lone = new Lone({ terms: [1, 1], term: 2 });
    lone.server.stallDisk();
    lone.send(2, appendEntries({ from: 2, term: 2, prev: [2, 1], entries: [command(3, 2, 'old'), command(4, 2)] }));
    const ask = lone.send(3, appendEntries({ from: 3, term: 3, prev: [2, 1], entries: [command(3, 3, 'new')] }));
    lone.server.resumeDisk();
    expect(lone.answerTo(ask)).toMatchObject({ term: 3, success: true });
    expect(lone.server.terms).toEqual([1, 1, 3]);
    expect(lone.server.disk.entries.map(({ term }) => term)).toEqual([1, 1, 3]);
  });
});

describe('AppendEntries, receiver, rule 4', () => {
  it('appends what is new, byte for byte as it came', () => {
    const lone = new Lone({ terms: [1, 1], term: 2 });
    const strange = {
      ...command(4, 2),
      data: Uint8Array.of(0, 255, 254),
      extensions: new Uint8Array(),
      appendedAt: Uint8Array.of(1, 2, 3),
    };
    const entries = [noop(3, 2), strange];
    expect(lone.ask(2, appendEntries({ from: 2, term: 2, prev: [2, 1], entries })).success).toBe(true);
    expect(lone.server.disk.entries.slice(2)).toEqual(entries);
  });

  it('the same request twice is answered twice and written once', () => {
    const lone = new Lone({ terms: [1, 1], term: 2 });
    const request = appendEntries({ from: 2, term: 2, prev: [2, 1], entries: [command(3, 2)] });
    expect(lone.ask(2, request)).toMatchObject({ success: true, lastIndex: 2 });
    expect(lone.ask(2, request)).toMatchObject({ success: true });
    expect(lone.server.terms).toEqual([1, 1, 2]);
    expect(lone.effectsOf('persist').filter(({ entries }) => entries.length > 0)).toHaveLength(1);
  });

  it('requests that overlap add what is new in each', () => {
    const lone = new Lone({ terms: [1], term: 2 });
    const entries = [command(2, 2), command(3, 2), command(4, 2), command(5, 2)];
    lone.ask(2, appendEntries({ from: 2, term: 2, prev: [1, 1], entries: entries.slice(0, 3) }));
    lone.ask(2, appendEntries({ from: 2, term: 2, prev: [2, 2], entries: entries.slice(1) }));
    expect(lone.server.disk.entries.slice(1)).toEqual(entries);
  });
});

describe('AppendEntries, receiver, rule 5', () => {
  it.each([
    { commit: 0, expected: 0 },
    { commit: 2, expected: 2 },
    { commit: 3, expected: 3 },
    { commit: 1000, expected: 4 },
  ])('with $commit committed at the leader and 4 the last new entry, $expected are', ({ commit, expected }) => {
    const lone = new Lone({ terms: [1, 1], term: 2 });
    const entries = [command(3, 2), command(4, 2)];
    lone.ask(2, appendEntries({ from: 2, term: 2, prev: [2, 1], entries, commit }));
    expect(lone.status.commitIndex).toBe(expected);
  });

  it('never commits an entry of its own that the leader has not spoken of', () => {
    // Entries 3 to 5 are from a leader that was deposed: that they are there says nothing of the present leader's log.
    const lone = new Lone({ terms: [1, 1, 2, 2, 2], term: 3 });
    lone.ask(2, appendEntries({ from: 2, term: 3, prev: [2, 1], commit: 5 }));
    expect(lone.status.commitIndex).toBe(2);
    lone.ask(2, appendEntries({ from: 2, term: 3, prev: [2, 1], entries: [command(3, 3)], commit: 5 }));
    expect(lone.status.commitIndex).toBe(3);
    expect(lone.server.terms).toEqual([1, 1, 3]);
  });

  it('a heartbeat, which names no entry, commits none', () => {
    const lone = new Lone({ terms: [1, 1, 1] });
    lone.ask(2, { ...heartbeat({ from: 2, term: 1 }), commitIndex: 3 });
    expect(lone.status.commitIndex).toBe(0);
  });

  it('a commit index never goes back', () => {
    const lone = new Lone({ terms: [1, 1, 1] });
    lone.ask(2, appendEntries({ from: 2, term: 1, prev: [3, 1], commit: 3 }));
    lone.ask(2, appendEntries({ from: 2, term: 1, prev: [3, 1], commit: 1 }));
    expect(lone.status.commitIndex).toBe(3);
    expect(lone.effectsOf('commit').map(({ index }) => index)).toEqual([3]);
  });

  it('a request that is refused commits nothing', () => {
    const lone = new Lone({ terms: [1, 1], term: 2 });
    lone.ask(2, appendEntries({ from: 2, term: 2, prev: [2, 2], commit: 2 }));
    lone.ask(2, appendEntries({ from: 2, term: 1, prev: [2, 1], commit: 2 }));
    expect(lone.status.commitIndex).toBe(0);
  });
});

describe('all servers: what is committed is applied', () => {
  it('in the order of the log, each once, noops and all', () => {
    const lone = new Lone({ terms: [1], term: 2 });
    const entries = [noop(2, 2), command(3, 2, 'a'), command(4, 2, 'b'), command(5, 2, 'c')];
    lone.ask(2, appendEntries({ from: 2, term: 2, prev: [1, 1], entries, commit: 3 }));
    lone.ask(2, appendEntries({ from: 2, term: 2, prev: [5, 2], commit: 4 }));
    lone.ask(2, appendEntries({ from: 2, term: 2, prev: [5, 2], commit: 5 }));
    expect(lone.server.applied.map(({ text }) => text)).toEqual(['a', 'b', 'c']);
    expect(lone.status).toMatchObject({ commitIndex: 5, appliedIndex: 5 });
  });

  it('applying that lags holds nothing up', () => {
    const lone = new Lone({ terms: [1], term: 2 });
    lone.server.isMachineStalled = true;
    lone.ask(2, appendEntries({ from: 2, term: 2, prev: [1, 1], entries: [command(2, 2)], commit: 2 }));
    expect(
      lone.ask(2, appendEntries({ from: 2, term: 2, prev: [2, 2], entries: [command(3, 2)], commit: 3 })),
    ).toMatchObject({ success: true });
    expect(lone.status).toMatchObject({ commitIndex: 3, appliedIndex: 0 });
    lone.server.resumeMachine();
    expect(lone.status.appliedIndex).toBe(3);
  });
});
