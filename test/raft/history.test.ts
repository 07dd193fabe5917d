/** Logs of two clusters that look alike to Raft: the same indexes, the same terms. */
import { beforeEach, describe, expect, test } from 'vitest';
import { utf8 } from '../../src/base/bytes.ts';
import { History, historyOf, type HistoryFacts, type Verdict } from '../../src/raft/history.ts';
import {
  ENTRY_TYPES,
  type AppendEntriesRequest,
  type Entry,
  type EntryType,
  type InstallSnapshotRequest,
} from '../../src/raft/messages.ts';
import type { HistoryRecord } from '../../src/raft/stored-records.ts';

const entry = (index: number, term: number, text: string, type: EntryType = ENTRY_TYPES.command): Entry => ({
  index,
  term,
  type,
  data: text === '' ? null : utf8(text),
  extensions: null,
  appendedAt: undefined,
});

/** A first configuration, what the first leader began with, and commands. */
function logOf(cluster: string, commands: number): Entry[] {
  const log = [entry(1, 1, `servers of ${cluster}`, ENTRY_TYPES.configuration), entry(2, 2, '', ENTRY_TYPES.noop)];
  for (let i = 0; i < commands; i++) log.push(entry(3 + i, 2, `${cluster} ${i}`));
  return log;
}

let own: Entry[];
let kept: HistoryRecord[];
let configured: string[];
let commitIndex: number;
let history: History;

function begin(log: Entry[], shared: boolean | null, pinned: string | null = null): void {
  own = log;
  kept = [];
  configured = ['leader'];
  commitIndex = log.length;
  const facts: HistoryFacts = {
    entry: (index) => own.find((held) => held.index === index),
    lastIndex: () => own.at(-1)?.index ?? 0,
    commitIndex: () => commitIndex,
    isConfigured: (id) => configured.includes(id),
    serversOf: () => [{ id: 'x', address: 'x:1', suffrage: 'voter' }],
  };
  const record = shared === null ? null : historyOf(log[0]!, [], shared);
  history = new History(record, pinned as never, facts, (changed) => kept.push(changed));
}

const header = { protocolVersion: 3, sender: { id: null, address: null } };

function append(entries: readonly Entry[] | null, prev: Entry | null, term = 3): AppendEntriesRequest {
  const [prevIndex, prevTerm] = [prev?.index ?? 0, prev?.term ?? 0];
  return { kind: 'appendEntries', ...header, term, leader: 'l:1', prevIndex, prevTerm, entries, commitIndex: 0 };
}

function snapshot(lastIndex: number, lastTerm: number): InstallSnapshotRequest {
  return {
    kind: 'installSnapshot',
    ...header,
    term: 3,
    leader: 'l:1',
    lastIndex,
    lastTerm,
    configuration: { servers: [] },
    configurationIndex: 1,
    sizeBytes: 0,
  };
}

/** `pass`, the code of a refusal, or behind which index the leader is asked to begin again. */
function said(verdict: Verdict): string | number {
  if (verdict.kind === 'answer') {
    expect(verdict.response).toMatchObject({ success: false, noRetryBackoff: true, term: 3 });
    return verdict.response.lastIndex;
  }
  return verdict.kind === 'foreign' ? verdict.refusal.code : 'pass';
}

const from = (sender = 'leader') => ({
  entries: (entries: readonly Entry[], prev: Entry | null, term = 3) =>
    said(history.ofAppend(sender, append(entries, prev, term))),
  heartbeat: () => said(history.ofAppend(sender, append(null, null))),
  snapshot: (lastIndex: number, lastTerm: number, isListed = false) =>
    said(history.ofSnapshot(sender, isListed, snapshot(lastIndex, lastTerm))),
});

/** As hashicorp/raft leads: from where the follower says that it ends, until it takes it. */
function leadWith(log: readonly Entry[], sender = 'leader'): string {
  for (let next = log.length, round = 0; round < 10; round++) {
    const prev = log[next - 2] ?? null;
    let outcome = from(sender).entries(log.slice(next - 1), prev);
    // What passes is the engine's: it answers from where on it lacks entries.
    const isHeld = prev === null || own.some(({ index, term }) => index === prev.index && term === prev.term);
    if (outcome === 'pass' && !isHeld) outcome = own.length;
    if (typeof outcome === 'string') return outcome;
    next = Math.max(1, Math.min(next - 1, outcome + 1));
  }
  return 'never ends';
}

/**
 * As hashicorp/raft leads, listed by the operator, with a log that is cut: where it lacks what it is asked for it sends its
 * snapshot, and goes on behind that.
 *
 * @returns how it ended, and how many snapshots that took
 */
function leadWithCut(log: readonly Entry[], snapshotAt: number, trailing: number): [string, number] {
  const firstIndex = snapshotAt - trailing + 1;
  for (let next = log.length, snapshots = 0, round = 0; round < 20; round++) {
    if (next < firstIndex || (next === firstIndex && trailing > 0)) {
      snapshots++;
      const outcome = from().snapshot(snapshotAt, log[snapshotAt - 1]!.term, true);
      if (outcome !== 'pass') return [String(outcome), snapshots];
      next = snapshotAt + 1;
    }
    const prev = log[next - 2]!;
    const outcome = from().entries(log.slice(next - 1), prev);
    const isHeld = own.some(({ index, term }) => index === prev.index && term === prev.term);
    if (outcome === 'pass' && isHeld) return ['pass', snapshots];
    if (typeof outcome === 'string' && outcome !== 'pass') return [outcome, snapshots];
    next = Math.max(1, Math.min(next - 1, (outcome === 'pass' ? own.length : outcome) + 1));
  }
  return ['never ends', 0];
}

describe('a server that shares its history with others', () => {
  beforeEach(() => begin(logOf('ours', 5), true));

  test('asks a leader for an entry that it holds, once a term', () => {
    const longer = logOf('ours', 7);
    expect(from().entries(longer.slice(7), longer[6]!)).toBe(6);
    expect(from().entries(longer.slice(6), longer[5]!)).toBe('pass');
    expect(from().entries(longer.slice(8), longer[7]!)).toBe('pass');
    expect(said(history.ofAppend('leader', append(longer.slice(8), longer[6]!, 3)))).toBe('pass');
    expect(history.foreign).toBeNull();
  });

  test('finds that a log of the same indexes and terms is another one', () => {
    expect(leadWith(logOf('theirs', 9))).toBe('raft-foreign-history');
    expect(history.foreign).toMatchObject({
      code: 'raft-foreign-history',
      details: { from: 'leader', own: history.record?.hash },
    });
    // And stays with that for this leader, whatever it sends.
    expect(from().entries([], null)).toBe('raft-foreign-history');
    expect(from().heartbeat()).toBe('raft-foreign-history');
  });

  test('takes the log of its own leader, however far behind it is', () => {
    expect(leadWith(logOf('ours', 5))).toBe('pass');
    expect(leadWith(logOf('ours', 500))).toBe('pass');
  });

  test('leaves it to the engine where the terms differ already, or nothing is held there', () => {
    const other = entry(7, 9, 'of a later term');
    expect(from().entries([entry(8, 9, 'next')], other)).toBe('pass');
    expect(from().entries([entry(90, 2, 'far')], entry(89, 2, 'away'))).toBe('pass');
  });

  test('does not ask for what says nothing: it looks for an entry before it', () => {
    own.push(entry(8, 3, '', ENTRY_TYPES.noop), entry(9, 3, '', ENTRY_TYPES.barrier));
    expect(from().entries([entry(10, 3, 'next')], own[8]!)).toBe(6);
  });

  test('gives up asking a leader that does not show it', () => {
    const ask = () => from().entries([entry(8, 3, 'next')], own[6]!);
    expect([ask(), ask(), ask(), ask()]).toEqual([6, 6, 6, 'pass']);
  });

  test('asks a leader that its configuration does not know for the first entry', () => {
    configured = [];
    const longer = logOf('ours', 7);
    expect(from().heartbeat()).toBe(0);
    expect(from().entries(longer.slice(7), longer[6]!)).toBe(0);
    expect(from().entries(longer, null)).toBe('pass');
    expect(from().heartbeat()).toBe('pass');
    begin(logOf('ours', 5), true);
    configured = [];
    expect(leadWith(logOf('theirs', 7))).toBe('raft-foreign-history');
  });

  test('takes a snapshot from a leader that the configuration knows or the operator lists', () => {
    expect(from().snapshot(90, 3)).toBe('pass');
    configured = [];
    expect(from().snapshot(90, 3, true)).toBe('pass');
    expect(from().snapshot(90, 3, false)).toBe('raft-foreign-history');
    // And nothing more from a leader that was found to be of another history.
    expect(from().snapshot(90, 3, true)).toBe('raft-foreign-history');
  });

  test.each([
    ['with entries before it', 4, 3, 1],
    ['that its log begins with', 4, 0, 1],
    ['at the end of the own log, with entries before it', 7, 3, 1],
    ['at the end of the own log, that its log begins with', 7, 0, 2],
  ])('brought up to date by a stranger whose snapshot is not newer, %s', (_, at, trailing, snapshots) => {
    configured = [];
    expect(leadWithCut(logOf('ours', 9), at, trailing)).toEqual(['pass', snapshots]);
  });

  test.each([
    [4, 3],
    [4, 0],
    [7, 3],
  ])('does not go on in the cut log of another cluster (snapshot at %i, %i entries before its end)', (at, trailing) => {
    configured = [];
    expect(leadWithCut(logOf('theirs', 9), at, trailing)[0]).toBe('raft-foreign-history');
  });

  test('costs a leader that began with a snapshot at the end of the own log one more of it in a term', () => {
    expect(leadWithCut(logOf('ours', 9), 7, 0)).toEqual(['pass', 1]);
    expect(from().entries([entry(9, 3, 'next')], entry(7, 2, 'ours 4'))).toBe('pass');
  });
});

describe('a server that began a cluster of its own and shares it with nobody', () => {
  test('never goes on in the log of another, nor takes its snapshot', () => {
    begin(logOf('ours', 5), false);
    expect(leadWith(logOf('theirs', 9))).toBe('raft-foreign-history');
    begin(logOf('ours', 5), false);
    expect(from().snapshot(90, 3, true)).toBe('raft-foreign-history');
  });

  test('is one of the cluster as soon as a leader shows the same beginning', () => {
    begin(logOf('ours', 0).slice(0, 1), false);
    expect(from().heartbeat()).toBe(0);
    const theirs = logOf('ours', 3);
    expect(from().entries(theirs.slice(1), theirs[0]!)).toBe(0);
    expect(from().entries(theirs, null)).toBe('pass');
    expect(kept.at(-1)).toMatchObject({ shared: true });
    expect(from().heartbeat()).toBe('pass');
  });

  test('takes a snapshot of its own cluster where nothing ever came of its beginning', () => {
    begin(logOf('ours', 0), false);
    commitIndex = 1;
    expect(from().snapshot(90, 3)).toBe('pass');
    configured = [];
    expect(from().snapshot(90, 3, true)).toBe('raft-foreign-history');
    begin(logOf('ours', 0), false);
    commitIndex = 1;
    expect(from().snapshot(90, 3)).toBe('pass');
    history.restored({ lastIndex: 90, lastTerm: 3, configuration: { index: 1, configuration: { servers: [] } } });
    expect(kept).toEqual([{ ...historyOf(own[0]!, [], true) }]);
  });

  test('refuses a leader that cannot show its beginning, though its snapshot ends with an entry like the own one', () => {
    begin(logOf('ours', 5), false);
    configured = [];
    expect(from().heartbeat()).toBe(0);
    expect(from().snapshot(7, 2, true)).toBe('raft-foreign-history');
  });

  test('shares it once others hold what it wrote', () => {
    begin(logOf('ours', 5), false);
    history.share();
    history.share();
    expect(kept).toEqual([{ ...historyOf(own[0]!, [], true) }]);
    expect(leadWith(logOf('ours', 9))).toBe('pass');
  });
});

describe('a blank server', () => {
  test('is of the history that its first leader shows', () => {
    begin([], null);
    const log = logOf('theirs', 2);
    expect(from().heartbeat()).toBe('pass');
    expect(from().entries([log[3]!], log[2]!)).toBe('pass');
    expect(kept).toEqual([]);
    expect(from().entries(log, null)).toBe('pass');
    expect(kept).toMatchObject([{ origin: 'entry', shared: true, servers: [{ id: 'x' }] }]);
  });

  test('is of the history that its snapshot ends', () => {
    begin([], null);
    expect(from().snapshot(90, 3)).toBe('pass');
    history.restored({ lastIndex: 90, lastTerm: 3, configuration: { index: 1, configuration: { servers: [] } } });
    expect(kept).toMatchObject([{ origin: 'snapshot', index: 90, term: 3, shared: true }]);
  });

  test('begins with no other history than the one that its operator pins', () => {
    const pinned = historyOf(logOf('ours', 0)[0]!, [], true).hash;
    begin([], null, pinned);
    expect(leadWith(logOf('theirs', 2))).toBe('raft-foreign-history');
    begin([], null, pinned);
    expect(leadWith(logOf('ours', 2))).toBe('pass');
  });
});

test('a history is told by the contents of its first entry, however they travelled', () => {
  const first = logOf('ours', 0)[0]!;
  const hash = historyOf(first, [], true).hash;
  expect(historyOf({ ...first, appendedAt: utf8('yesterday'), extensions: utf8('') }, [], false).hash).toBe(hash);
  for (const other of [
    { ...first, data: utf8('others') },
    { ...first, term: 2 },
    { ...first, type: 0 as const },
  ])
    expect(historyOf(other, [], true).hash).not.toBe(hash);
});
