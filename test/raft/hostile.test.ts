/**
 * Whatever others send, in whatever order: nothing throws, each ask is answered once, a step costs bounded work, and what
 * was promised stays (`server.ts`, `promises.ts` and `disk.ts` check that at every step). Of strangers nothing is taken.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Entry, RaftRequest, RaftResponse } from '../../src/raft/messages.ts';
import { leaderOf, Lone } from './lone.ts';
import {
  addressOf,
  appendEntries,
  command,
  configurationEntry,
  configurationOf,
  heartbeat,
  installSnapshot,
  noop,
  preVote,
  requestVote,
  timeoutNow,
} from './words.ts';

const members = [2, 3];
const strangers = [8, 9];

/** Mostly small, so that requests meet each other's terms and indexes; sometimes beyond all measure. */
const number = fc.oneof(
  { weight: 12, arbitrary: fc.nat(7) },
  { weight: 1, arbitrary: fc.constantFrom(1000, 2 ** 31, 2 ** 32 + 1, Number.MAX_SAFE_INTEGER - 1) },
);
const position = fc.tuple(number, fc.nat(6));
const configuration = fc
  .tuple(fc.subarray([1, 2, 3, 4]), fc.subarray([5, 9]))
  .map(([voters, nonvoters]) => configurationOf(voters, nonvoters));

function entryAt(index: number, term: number, kind: number): Entry {
  if (kind === 0) return noop(index, term);
  if (kind === 1) return configurationEntry(index, term, configurationOf([1, 2, 3], [4 + (index % 3)]));
  return command(index, term);
}

/** Entries that follow `prev` as they should, most of the time. */
const entriesAfter = (prevIndex: number, term: number) =>
  fc.array(fc.tuple(fc.nat(5), fc.nat(4), fc.nat(3)), { maxLength: 4 }).map((words) =>
    words.map(([kind, earlier, offset], i) => {
      const index = prevIndex + 1 + i + (offset === 3 && kind > 3 ? 1 : 0);
      return entryAt(index, Math.max(0, term - (earlier > 2 ? 0 : earlier)), kind);
    }),
  );

function requestFrom(senders: readonly number[]): fc.Arbitrary<{ from: number; request: RaftRequest }> {
  return fc
    .record({
      from: fc.constantFrom(...senders),
      term: number,
      at: position,
      commit: number,
      configuration,
      kind: fc.nat(9),
    })
    .chain(({ from, term, at, commit, configuration, kind }) => {
      const entries = kind < 5 ? entriesAfter(at[0], term) : fc.constant([]);
      return entries.map((entries) => {
        const request = ((): RaftRequest => {
          switch (kind) {
            case 5:
              return heartbeat({ from, term });
            case 6:
              return requestVote({ from, term, last: at, isTransfer: commit % 2 === 0 });
            case 7:
              return preVote({ from, term, last: at });
            case 8:
              return installSnapshot({ from, term, last: at, configuration, configurationIndex: commit });
            case 9:
              return timeoutNow({ from });
            default:
              return appendEntries({ from, term, prev: at, entries, commit });
          }
        })();
        return { from, request };
      });
    });
}

type Move =
  | { readonly kind: 'ask'; readonly from: number; readonly request: RaftRequest }
  | { readonly kind: 'elapse'; readonly ms: number }
  | { readonly kind: 'disk'; readonly does: 'stall' | 'resume' | 'once' | 'crash' }
  | {
      readonly kind: 'answer';
      readonly which: number;
      readonly how: number;
      readonly term: number;
      readonly last: number;
    }
  | { readonly kind: 'propose' | 'read' | 'snapshot' | 'badSnapshots' | 'goodSnapshots' };

const asked = requestFrom([...members, ...members, ...strangers]).map((ask): Move => ({ kind: 'ask', ...ask }));
const elapsed = fc.nat(1500).map((ms): Move => ({ kind: 'elapse', ms }));
const written = fc
  .constantFrom('stall' as const, 'resume' as const, 'once' as const, 'crash' as const)
  .map((does): Move => ({ kind: 'disk', does }));
const answered = fc
  .record({ which: fc.nat(20), how: fc.nat(9), term: number, last: number })
  .map((words): Move => ({ kind: 'answer', ...words }));
const wanted = fc.constantFrom<Move>(
  { kind: 'propose' },
  { kind: 'read' },
  { kind: 'snapshot' },
  { kind: 'badSnapshots' },
  { kind: 'goodSnapshots' },
);

const moves = fc.array(
  fc.oneof(
    { weight: 10, arbitrary: asked },
    { weight: 3, arbitrary: elapsed },
    { weight: 3, arbitrary: written },
    { weight: 6, arbitrary: answered },
    { weight: 3, arbitrary: wanted },
  ),
  { minLength: 5, maxLength: 60 },
);

/** Effects of one step, in a cluster of a few servers, whatever the input was. */
const MAX_EFFECTS = 40;
/** Entries that one step may read from the disk: a walk back over one term, and one batch for each follower. */
const MAX_READS = 2000;

/** Counts what a step costs. */
function measured(lone: Lone): () => { effects: number; reads: number } {
  const { disk } = lone.server;
  const read = disk.entry.bind(disk);
  let reads = 0;
  disk.entry = (index) => {
    reads++;
    return read(index);
  };
  let seen = lone.effects.length;
  return () => {
    const cost = { effects: lone.effects.length - seen, reads };
    seen = lone.effects.length;
    reads = 0;
    return cost;
  };
}

function answerWith(lone: Lone, { which, how, term, last }: Extract<Move, { kind: 'answer' }>): void {
  const call = lone.open[which % Math.max(1, lone.open.length)];
  if (call === undefined) return;
  if (how === 0) return lone.fail(call, 'unreachable');
  if (how === 1) return lone.fail(call, 'closed');
  if (how === 2) return lone.fail(call, 'timeout');
  const { request } = call;
  const said = how === 3 || request.kind === 'timeoutNow' ? term : request.term;
  const isYes = how > 4;
  const response = ((): RaftResponse => {
    switch (request.kind) {
      case 'appendEntries':
        return { kind: 'appendEntries', term: said, lastIndex: last, success: isYes, noRetryBackoff: how === 4 };
      case 'installSnapshot':
        return { kind: 'installSnapshot', term: said, success: isYes };
      case 'timeoutNow':
        return { kind: 'timeoutNow' };
      default:
        return { kind: request.kind, term: said, granted: isYes };
    }
  })();
  lone.answer(call, response);
}

function perform(lone: Lone, move: Move, asks: number[]): void {
  const { server } = lone;
  switch (move.kind) {
    case 'ask':
      asks.push(lone.send(move.from, move.request, ['theirs']));
      break;
    case 'elapse':
      lone.elapse(move.ms);
      break;
    case 'disk':
      if (move.does === 'stall') server.stallDisk();
      else if (move.does === 'resume') server.resumeDisk();
      else if (move.does === 'once') {
        if (server.isWriting) server.resumeDiskOnce();
      } else {
        server.crash();
        lone.open.length = 0;
        asks.length = 0;
        server.start();
      }
      break;
    case 'answer':
      answerWith(lone, move);
      break;
    case 'propose':
      lone.propose('w1', 'w2');
      break;
    case 'read':
      lone.step({ kind: 'readIndex', request: 1 });
      break;
    case 'snapshot':
      if (server.appliedIndex > 0 && !server.isWriting) server.takeSnapshot();
      break;
    case 'badSnapshots':
      server.failsToRestore = true;
      break;
    case 'goodSnapshots':
      server.failsToRestore = false;
  }
}

describe('whatever is sent', () => {
  it.each(['follower', 'leader'])('to a %s: nothing throws, every ask is answered, a step is bounded', (role) => {
    fc.assert(
      fc.property(moves, (moves) => {
        const lone = role === 'leader' ? leaderOf({ terms: [1, 1, 2] }) : new Lone({ terms: [1, 1, 2, 2, 3] });
        const asks: number[] = [];
        for (const move of moves) {
          const cost = measured(lone);
          perform(lone, move, asks);
          const { effects, reads } = cost();
          if (move.kind === 'ask') expect(effects).toBeLessThanOrEqual(MAX_EFFECTS);
          if (move.kind === 'ask') expect(reads).toBeLessThanOrEqual(MAX_READS);
        }
        lone.server.resumeDisk();
        for (const ask of asks) expect(lone.answerTo(ask), `ask ${ask}`).toBeDefined();
      }),
    );
  });

  it('the walk back over a long term is bounded, and so is what a hint makes a leader read', () => {
    const terms = [1, ...Array.from({ length: 20_000 }, () => 2)];
    const lone = new Lone({ terms, limits: { maxCachedBytes: 0 } });
    const cost = measured(lone);
    lone.ask(2, appendEntries({ from: 2, term: 3, prev: [20_000, 1] }));
    expect(cost().reads).toBeLessThanOrEqual(MAX_READS);
    lone.win();
    cost();
    const [call] = lone.appends(2);
    if (!call) throw new Error('a follower is sent to');
    lone.answer(call, { kind: 'appendEntries', term: 4, success: false, lastIndex: 0, noRetryBackoff: true });
    expect(cost().reads).toBeLessThanOrEqual(MAX_READS);
  });
});

describe('whatever strangers send', () => {
  it.each(['follower', 'leader', 'candidate', 'blank'])(
    'a %s changes neither term, vote, log, role nor leader',
    (role) => {
      fc.assert(
        fc.property(fc.array(requestFrom(strangers), { minLength: 1, maxLength: 30 }), (asked) => {
          const lone =
            role === 'leader' ? leaderOf({ terms: [1, 1] }) : new Lone({ terms: role === 'blank' ? [] : [1, 1] });
          if (role === 'candidate') lone.stand();
          const before = {
            hardState: lone.server.disk.hardState,
            log: [...lone.server.disk.entries],
            status: lone.status,
          };
          const effects = lone.effects.length;
          for (const { from, request } of asked) {
            const answer = lone.ask(from, request, ['theirs']);
            if ('granted' in answer) expect(answer.granted).toBe(false);
            if ('success' in answer) expect(answer.success).toBe(false);
          }
          expect({
            hardState: lone.server.disk.hardState,
            log: [...lone.server.disk.entries],
            status: lone.status,
          }).toEqual(before);
          const kinds = new Set(lone.effects.slice(effects).map(({ kind }) => kind));
          expect([...kinds].sort()).toEqual(['answer', 'refused']);
        }),
      );
    },
  );
});

describe('votes', () => {
  it('whatever is asked, no two candidates have a vote of one term, over restarts too', () => {
    fc.assert(
      fc.property(moves, (moves) => {
        const lone = new Lone({ terms: [1, 1, 2] });
        const given = new Map<number, Set<string>>();
        const asks: number[] = [];
        for (const move of moves) {
          const before = asks.length;
          perform(lone, move, asks);
          if (move.kind !== 'ask' || move.request.kind !== 'requestVote' || asks.length === before) continue;
          const answer = lone.answerTo(asks.at(-1) ?? 0);
          if (answer?.kind !== 'requestVote' || !answer.granted) continue;
          const voters = given.get(move.request.term) ?? new Set();
          given.set(move.request.term, voters.add(addressOf(move.from)));
          expect(voters.size).toBe(1);
        }
      }),
    );
  });
});
