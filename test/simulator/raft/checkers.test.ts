/** Each checker of a Raft cluster finds what it is for: fed with a violation it reports it, and with nothing wrong it does not. */
import { beforeEach, describe, expect, test } from 'vitest';
import { Random } from '../../../src/base/random.ts';
import { utf8 } from '../../../src/base/bytes.ts';
import {
  ENTRY_TYPES,
  type AppendEntriesRequest,
  type Entry,
  type Server,
  type Suffrage,
} from '../../../src/raft/messages.ts';
import { describeViolation, type Violation } from '../checkers/violation.ts';
import type { LogTerms } from './checkers/books.ts';
import { CommitChecker } from './checkers/commits.ts';
import { ConfigurationChecker } from './checkers/configurations.ts';
import { ElectionChecker } from './checkers/elections.ts';
import { LinearizabilityChecker, NOTHING_WRITTEN } from './checkers/linearizability.ts';
import { LogChecker } from './checkers/logs.ts';
import { MachineChecker } from './checkers/machines.ts';
import { OutcomeChecker } from './checkers/outcomes.ts';
import { PromiseChecker } from './checkers/promises.ts';
import { VoteChecker } from './checkers/votes.ts';

let found: string[];
const report = ({ message }: Violation) => void found.push(message);

beforeEach(() => {
  found = [];
});

const entryOf = (index: number, term: number, text = `${index}`): Entry => ({
  ...{ index, term, type: ENTRY_TYPES.command, data: utf8(text) },
  ...{ extensions: null, appendedAt: undefined },
});

/** The terms of entries 1, 2, ... */
const logOf = (...terms: readonly number[]): LogTerms => ({
  lastIndex: terms.length,
  termAt: (index) => (index === 0 ? 0 : terms[index - 1]),
});

const header = { protocolVersion: 3, sender: { id: 'a', address: 'a:1' } } as const;

describe('election safety', () => {
  test('one server leads in a term, and may say so again', () => {
    const checker = new ElectionChecker(report);
    expect(checker.leads('a', 1)).toBe(true);
    expect(checker.leads('a', 1)).toBe(false);
    checker.leads('b', 2);
    expect(found).toEqual([]);
    checker.leads('b', 1);
    expect(found).toEqual(['one server at most leads in a term']);
  });
});

describe('terms and votes', () => {
  const ask = {
    kind: 'requestVote',
    ...header,
    candidate: 'a:1',
    lastIndex: 1,
    lastTerm: 1,
    isTransfer: false,
  } as const;

  test('a vote that is on the disk may leave, and leave again', () => {
    const checker = new VoteChecker(report);
    checker.written('b', { term: 2, votedFor: 'a:1' });
    for (let i = 0; i < 2; i++) {
      checker.answers('b', { ...ask, term: 2 }, { kind: 'requestVote', term: 2, granted: true });
    }
    checker.started('b', { term: 2 });
    expect(found).toEqual([]);
  });

  test('a vote or a term that a power cut would forget', () => {
    const checker = new VoteChecker(report);
    checker.written('b', { term: 2, votedFor: null });
    checker.answers('b', { ...ask, term: 2 }, { kind: 'requestVote', term: 2, granted: true });
    checker.answers('b', { ...ask, term: 3 }, { kind: 'requestVote', term: 3, granted: false });
    checker.asks('b', 'b:1', { ...ask, candidate: 'b:1', term: 3 });
    expect(found).toEqual([
      'a vote is on the disk before it leaves',
      'a term is on the disk before anybody hears of it',
      'a term is on the disk before anybody hears of it',
    ]);
  });

  test('two votes in a term, over two lives, one of them for itself', () => {
    const checker = new VoteChecker(report);
    checker.written('b', { term: 2, votedFor: 'b:1' });
    checker.asks('b', 'b:1', { ...ask, candidate: 'b:1', term: 2 });
    checker.written('b', { term: 3, votedFor: null });
    checker.answers('b', { ...ask, term: 2 }, { kind: 'requestVote', term: 2, granted: true });
    expect(found).toEqual(['a server votes once in a term']);
  });

  test('a disk on which a term falls or a vote changes, and a restart that forgets', () => {
    const checker = new VoteChecker(report);
    checker.written('b', { term: 3, votedFor: null });
    checker.written('b', { term: 3, votedFor: 'a:1' });
    checker.started('b', { term: 2 });
    checker.written('b', { term: 3, votedFor: 'b:1' });
    checker.written('b', { term: 2, votedFor: null });
    expect(found).toEqual([
      'a restart begins with the term on the disk',
      'a vote on a disk stays what it was in its term',
      'a term on a disk never falls',
    ]);
  });

  test('a pre-vote speaks of a term in which nobody is yet', () => {
    const checker = new VoteChecker(report);
    const preVote = { kind: 'preVote', ...header, term: 9, lastIndex: 1, lastTerm: 1 } as const;
    checker.asks('b', 'b:1', preVote);
    checker.answers('b', preVote, { kind: 'preVote', term: 9, granted: true });
    expect(found).toEqual([]);
    checker.answers('b', preVote, { kind: 'preVote', term: 10, granted: false });
    expect(found).toEqual(['a term is on the disk before anybody hears of it']);
  });
});

describe('log matching', () => {
  test('the same entry after the same entry, wherever', () => {
    const checker = new LogChecker(report);
    checker.seen('a', entryOf(1, 1), 0);
    checker.seen('a', entryOf(2, 1), 1);
    checker.seen('b', entryOf(2, 1), null);
    checker.seen('c', entryOf(2, 2), 1);
    expect(found).toEqual([]);
  });

  test('another content, another entry before it, or a term that falls', () => {
    const checker = new LogChecker(report);
    checker.seen('a', entryOf(5, 3), 2);
    checker.seen('b', entryOf(5, 3, 'other'), 2);
    checker.seen('c', entryOf(5, 3), 1);
    checker.seen('d', entryOf(6, 3), 4);
    expect(found).toEqual([
      'entries of one index and term are one entry',
      'what precedes an entry is the same in every log',
      'terms never fall along a log',
    ]);
  });
});

describe('commits', () => {
  const configuration = {
    servers: ['a', 'b', 'c'].map((id): Server => ({ id, address: `${id}:1`, suffrage: 'voter' })),
  };
  let holders: string[];
  let checker: CommitChecker;

  beforeEach(() => {
    holders = ['a', 'b'];
    checker = new CommitChecker((id) => holders.includes(id), report);
    checker.given(1, 1);
  });

  test('counted on a quorum in its own term, known later, and in the log of the next leader', () => {
    checker.elected('a', 2, logOf(1, 2));
    checker.countedBy('a', 2, 3, logOf(1, 2, 2), configuration);
    checker.knows('a', 3, 3);
    checker.knows('b', 2, 3);
    checker.stopped('b');
    checker.knows('b', 1, 3);
    checker.elected('b', 3, logOf(1, 2, 2, 3));
    expect(found).toEqual([]);
    expect(checker.highest).toBe(3);
  });

  test('on the disks of less than a quorum of those who vote', () => {
    holders = ['a'];
    checker.countedBy('a', 2, 2, logOf(1, 2), configuration);
    expect(found).toEqual(['what is committed is on the disks of a quorum']);
  });

  test('an entry of an older term, by counting (figure 8)', () => {
    checker.countedBy('a', 4, 2, logOf(1, 2), configuration);
    expect(found).toEqual(['a leader counts entries of its own term only']);
  });

  test('what another leader committed there', () => {
    checker.countedBy('a', 2, 2, logOf(1, 2), configuration);
    checker.countedBy('b', 3, 3, logOf(1, 3, 3), configuration);
    expect(found).toEqual(['what is committed stays as it is']);
  });

  test('a later leader that lacks it, elected before it was committed or after', () => {
    checker.elected('c', 3, logOf(1, 3));
    checker.countedBy('a', 2, 2, logOf(1, 2), configuration);
    checker.elected('b', 4, logOf(1));
    expect(found).toEqual(Array(2).fill('a leader has every entry that was committed before its term'));
  });

  test('a commit index that falls, that nobody counted, or of what is not in the log', () => {
    checker.countedBy('a', 2, 3, logOf(1, 2, 2), configuration);
    checker.knows('b', 3, 3);
    checker.knows('b', 2, 3);
    checker.knows('c', 4, 4);
    checker.knows('d', 3, 2);
    expect(found).toEqual([
      'a commit index never falls',
      'nothing is committed that no leader has counted',
      'nothing is committed that is not in the log',
    ]);
  });
});

describe('state machine safety', () => {
  test('the same entries one after another, over restarts and snapshots', () => {
    const checker = new MachineChecker(() => 3, report);
    checker.started('a', 0, 'nothing');
    checker.applied('a', entryOf(1, 1), 'one');
    checker.applied('a', entryOf(2, 1), 'two');
    checker.started('a', 1, 'one');
    checker.applied('a', entryOf(2, 1), 'two');
    checker.restored('b', 2, 'two');
    checker.applied('b', entryOf(3, 1), 'three');
    expect(found).toEqual([]);
  });

  test('a gap, another entry, one that is not committed, another state, a state that goes back', () => {
    const checker = new MachineChecker(() => 3, report);
    checker.applied('a', entryOf(1, 1), 'one');
    checker.applied('a', entryOf(3, 1), 'three');
    checker.applied('b', entryOf(1, 2), 'one');
    checker.applied('a', entryOf(4, 1), 'four');
    checker.restored('c', 1, 'other');
    checker.restored('a', 1, 'one');
    expect(found).toEqual([
      'entries are applied one after another',
      'all apply the same entry at an index',
      'only what is committed is applied',
      'states that have applied equally much are equal',
      'a snapshot never takes a state back',
    ]);
  });
});

describe('promises', () => {
  const held = (...entries: readonly string[]) => ({
    snapshotIndex: 3,
    everHeld: (index: number, term: number) => entries.includes(`${index} ${term}`),
  });
  const append: AppendEntriesRequest = {
    ...{ kind: 'appendEntries', ...header, term: 2, leader: 'a:1', prevIndex: 4, prevTerm: 1, commitIndex: 0 },
    entries: [entryOf(5, 2)],
  };
  const success = { kind: 'appendEntries', term: 2, lastIndex: 4, success: true, noRetryBackoff: false } as const;

  test('what is on the disk, was once, or is in its snapshot', () => {
    const checker = new PromiseChecker(report);
    checker.appended('b', append, success, held('5 2'));
    checker.appended('b', { ...append, entries: [] }, success, held('4 1'));
    checker.appended('b', { ...append, prevIndex: 2, entries: [] }, success, held());
    checker.appended('b', append, { ...success, success: false }, held());
    checker.appended('b', { ...append, prevIndex: 0, entries: null }, success, held());
    expect(found).toEqual([]);
  });

  test('a success for entries, or for a place in the log, that the disk does not hold', () => {
    const checker = new PromiseChecker(report);
    checker.appended('b', append, success, held('5 1'));
    checker.appended('b', { ...append, entries: [] }, success, held());
    expect(found).toEqual(Array(2).fill('what is acknowledged is on the disk'));
  });

  test('what a server takes for durable', () => {
    const checker = new PromiseChecker(report);
    checker.believes('b', 5, 2, held('5 2'));
    checker.believes('b', 5, undefined, held());
    checker.believes('b', 3, 1, held());
    expect(found).toEqual([]);
    checker.believes('b', 5, 2, held('5 1'));
    expect(found).toEqual(['what a server takes for durable is on its disk']);
  });

  test('a snapshot that is not there', () => {
    const checker = new PromiseChecker(report);
    const install = { kind: 'installSnapshot', ...header, term: 2, leader: 'a:1', lastTerm: 2 } as const;
    const rest = { configuration: { servers: [] }, configurationIndex: 1, sizeBytes: 0 };
    checker.installed('b', { ...install, ...rest, lastIndex: 3 }, held());
    checker.installed('b', { ...install, ...rest, lastIndex: 7 }, held('7 2'));
    expect(found).toEqual([]);
    checker.installed('b', { ...install, ...rest, lastIndex: 7 }, held());
    expect(found).toEqual(['a snapshot that is acknowledged is on the disk']);
  });
});

describe('configurations', () => {
  const logged = (index: number, ...servers: readonly string[]) => ({
    index,
    configuration: {
      servers: servers.map((text) => {
        const [id = '', suffrage = 'voter'] = text.split(' ');
        return { id, address: `${id}:1`, suffrage: suffrage as Suffrage };
      }),
    },
  });
  const by = { id: 'a', term: 2, commitIndex: 5, commitTerm: 2 };

  test('one server comes, changes or goes at a time', () => {
    const checker = new ConfigurationChecker(report);
    checker.follows(logged(1, 'a', 'b'), logged(6, 'a', 'b', 'c nonvoter'), by);
    checker.follows(logged(6, 'a', 'b', 'c nonvoter'), logged(7, 'a', 'b', 'c'), null);
    checker.follows(logged(7, 'a', 'b', 'c'), logged(8, 'b', 'c'), null);
    expect(found).toEqual([]);
  });

  test('in force is one that is in the log, as a configuration', () => {
    const checker = new ConfigurationChecker(report);
    checker.inForce('a', logged(0), 0, undefined);
    checker.inForce('a', logged(3, 'a'), 7, undefined);
    checker.inForce('a', logged(3, 'a'), 7, { ...entryOf(3, 1), type: ENTRY_TYPES.configuration });
    expect(found).toEqual([]);
    checker.inForce('a', logged(8, 'a'), 7, undefined);
    checker.inForce('a', logged(3, 'a'), 7, entryOf(3, 1));
    expect(found).toEqual(Array(2).fill('the configuration in force is in the log'));
  });

  test('two at once, nobody left to vote, too early, or before a commit of the term', () => {
    const checker = new ConfigurationChecker(report);
    checker.follows(logged(1, 'a'), logged(6, 'a', 'b', 'c'), by);
    checker.follows(logged(1, 'a'), logged(6, 'a nonvoter'), by);
    checker.follows(logged(5, 'a'), logged(6, 'a', 'b'), { ...by, commitIndex: 4 });
    checker.follows(logged(5, 'a'), logged(6, 'a', 'b'), { ...by, commitTerm: 1 });
    expect(found).toEqual([
      'a change is of one server',
      'a configuration has a voter',
      'a change waits for the one before it',
      'a change waits for a commit of its term',
    ]);
  });
});

describe('outcomes', () => {
  test('an unknown outcome may be either, and what is acknowledged was applied there', () => {
    const checker = new OutcomeChecker(report);
    checker.applied('x', 3);
    checker.applied('x', 3);
    checker.acknowledged('x', 3);
    checker.refused('y', 'busy');
    expect(found).toEqual([]);
  });

  test('applied although refused, in whatever order; applied twice; acknowledged elsewhere', () => {
    const checker = new OutcomeChecker(report);
    checker.refused('x', 'not-leader');
    checker.applied('x', 3);
    checker.applied('y', 4);
    checker.refused('y', 'busy');
    checker.applied('z', 5);
    checker.applied('z', 6);
    checker.acknowledged('z', 6);
    expect(found).toEqual([
      'what was refused is not applied',
      'what was refused is not applied',
      'what was proposed once is applied once',
      'what is acknowledged was applied where it is said to be',
    ]);
  });
});

describe('linearizability', () => {
  const ORDER = 'what is read and written has one order';

  test('a read that overlaps a write may see it or not, and another key is another register', () => {
    const checker = new LinearizabilityChecker(report);
    checker.writeBegins('k', '1');
    checker.written('k', '1');
    checker.writeBegins('k', '2');
    const [one, two] = [checker.now(), checker.now()];
    checker.read('k', '1', one);
    checker.read('k', '2', two);
    checker.written('k', '2');
    checker.read('other', NOTHING_WRITTEN, checker.now());
    expect(found).toEqual([]);
  });

  test('a value that was overwritten before the read began', () => {
    const checker = new LinearizabilityChecker(report);
    for (const value of ['1', '2']) {
      checker.writeBegins('k', value);
      checker.written('k', value);
    }
    checker.read('k', '1', checker.now());
    expect(found).toEqual([ORDER]);
  });

  test('nothing, after a write was acknowledged', () => {
    const checker = new LinearizabilityChecker(report);
    checker.writeBegins('k', '1');
    checker.written('k', '1');
    checker.read('k', NOTHING_WRITTEN, checker.now());
    expect(found).toEqual([ORDER]);
  });

  test('a write of unknown outcome may be seen late, and not be unseen again', () => {
    const checker = new LinearizabilityChecker(report);
    checker.writeBegins('k', 'lost?');
    checker.writeBegins('k', '1');
    checker.written('k', '1');
    checker.read('k', '1', checker.now());
    checker.read('k', 'lost?', checker.now());
    expect(found).toEqual([]);
    checker.read('k', '1', checker.now());
    expect(found).toEqual([ORDER]);
  });

  test('what was refused, or never written', () => {
    const checker = new LinearizabilityChecker(report);
    checker.writeBegins('k', '1');
    checker.refused('k', '1');
    checker.read('k', '1', checker.now());
    checker.read('k', '7', checker.now());
    expect(found).toEqual(['what was refused is never read', 'what is read was written before']);
  });

  test('finds what a search through all orders finds, and nothing else', () => {
    const seen = { linearizable: 0, not: 0 };
    for (let seed = 1; seed <= 3_000; seed++) {
      const history = historyOf(new Random(seed));
      found = [];
      play(history);
      const isLinearizable = hasOrder(history, NOTHING_WRITTEN);
      expect({ seed, found: found.length === 0 }).toEqual({ seed, found: isLinearizable });
      seen[isLinearizable ? 'linearizable' : 'not']++;
    }
    expect(Math.min(seen.linearizable, seen.not)).toBeGreaterThan(300);
  });

  /** One register. `ends` infinite: nobody knows what became of it. */
  interface Operation {
    readonly kind: 'write' | 'read';
    readonly value: string;
    readonly begins: number;
    readonly ends: number;
  }

  function historyOf(random: Random): readonly Operation[] {
    const writes = 1 + random.below(3);
    const reads = 1 + random.below(4);
    const span = () => {
      const begins = random.fraction();
      return { begins, ends: begins + random.fraction() * 0.5 };
    };
    const written = Array.from({ length: writes }, (_, place): Operation => {
      const { begins, ends } = span();
      return { kind: 'write', value: `${place}`, begins, ends: random.chance(0.2) ? Infinity : ends };
    });
    const values = [NOTHING_WRITTEN, ...written.map(({ value }) => value)];
    const read = Array.from({ length: reads }, (): Operation => {
      return { kind: 'read', value: random.pick(values), ...span() };
    });
    // What nobody knows the end of and nobody read may not have happened at all; the search leaves it out by itself.
    return [...written, ...read];
  }

  function play(history: readonly Operation[]): void {
    const checker = new LinearizabilityChecker(report);
    const began = new Map<Operation, number>();
    const events = history.flatMap((operation) => [
      { at: operation.begins, operation, isEnd: false },
      { at: operation.ends, operation, isEnd: true },
    ]);
    for (const { at, isEnd, operation } of events.sort((a, b) => a.at - b.at)) {
      const { kind, value } = operation;
      if (at === Infinity) continue;
      if (!isEnd) {
        if (kind === 'write') checker.writeBegins('k', value);
        else began.set(operation, checker.now());
      } else if (kind === 'write') checker.written('k', value);
      else checker.read('k', value, began.get(operation)!);
    }
  }

  /** Wing and Gong: whatever did not begin after another ended may be the next. */
  function hasOrder(left: readonly Operation[], value: string): boolean {
    if (left.every(({ ends }) => ends === Infinity)) return true;
    const firstEnd = Math.min(...left.map(({ ends }) => ends));
    return left.some((next) => {
      if (next.begins > firstEnd || (next.kind === 'read' && next.value !== value)) return false;
      const rest = left.filter((other) => other !== next);
      return hasOrder(rest, next.kind === 'write' ? next.value : value);
    });
  }
});

test('a violation is told with its numbers', () => {
  const violation = { checker: 'commits', message: 'a commit index never falls', details: { id: 'a', commitIndex: 3 } };
  expect(describeViolation(violation)).toBe('commits: not so: a commit index never falls (id=a, commitIndex=3)');
});
