/** The small parts that the engine is put together from, one by one. */
import { describe, expect, it } from 'vitest';
import { unwrap } from '../../src/base/result.ts';
import { checkConfiguration, Configurations, majorityOf } from '../../src/raft/configuration.ts';
import { DEFAULT_LIMITS } from '../../src/raft/contract.ts';
import type { Server } from '../../src/raft/messages.ts';
import { PendingProposals } from '../../src/raft/pending-proposals.ts';
import { Progress } from '../../src/raft/progress.ts';
import { Turn } from '../../src/raft/turn.ts';
import { Writes } from '../../src/raft/writes.ts';
import { entryOf, serverNamed, votersNamed } from './memory-disk.ts';

describe('writes', () => {
  it('become durable in order, and say how far the log is', () => {
    const writes = new Writes();
    expect([writes.start(4, false, 10), writes.start(6, true, 20), writes.start(9, false, 30)]).toEqual([1, 2, 3]);
    expect(writes.waitingSinceMs).toBe(10);
    expect(writes.isHardStateDurable).toBe(false);
    expect(writes.finish(2)).toBe(6);
    expect(writes.isHardStateDurable).toBe(true);
    expect([1, 2, 3].map((persist) => writes.isDurable(persist))).toEqual([true, true, false]);
    expect(writes.waitingSinceMs).toBe(30);
    expect(writes.finish(2)).toBeUndefined();
    expect(writes.finish(3)).toBe(9);
    expect(writes.waitingSinceMs).toBeUndefined();
  });

  it('that a cut overtook count for what it left of them', () => {
    const writes = new Writes();
    writes.start(9, false, 0);
    writes.cutFrom(8);
    writes.start(8, false, 0);
    expect(writes.finish(1)).toBe(7);
    expect(writes.finish(2)).toBe(8);
  });

  it('that were never begun are not done', () => {
    expect(() => new Writes().finish(1)).toThrow('only what was written');
  });
});

describe('a turn', () => {
  it('lists what waits for nothing, then one write, then what waits for it', () => {
    const turn = new Turn();
    turn.answer(1, 'durable', { kind: 'timeoutNow' });
    turn.persistEntry(entryOf(3, 2));
    turn.answer(2, 'now', { kind: 'timeoutNow' });
    turn.persistHardState({ term: 2, votedFor: null });
    turn.tell({ kind: 'commit', index: 2 });
    expect(turn.effects(7).map((effect) => (effect.kind === 'answer' ? effect.ask : effect.kind))).toEqual([
      2,
      'persist',
      1,
      'commit',
    ]);
  });

  it('writes what is left when it cuts what it appended itself', () => {
    const turn = new Turn();
    turn.persistEntry(entryOf(3, 2));
    turn.persistEntry(entryOf(4, 2));
    turn.persistCut(4);
    turn.persistEntry(entryOf(4, 3));
    const [persist] = turn.effects(1);
    expect(persist).toMatchObject({
      truncateFrom: 4,
      entries: [
        { index: 3, term: 2 },
        { index: 4, term: 3 },
      ],
    });
  });

  it('without a write is what it lists', () => {
    const turn = new Turn();
    expect(turn.effects(0)).toEqual([]);
    turn.tell({ kind: 'commit', index: 2 });
    turn.answer(2, 'now', { kind: 'timeoutNow' });
    expect(turn.effects(0).map(({ kind }) => kind)).toEqual(['answer', 'commit']);
  });
});

describe('proposals that are not committed', () => {
  it('leave in the order of the log', () => {
    const proposals = new PendingProposals();
    for (let number = 1; number <= 5000; number++) proposals.add(number, number + 10, 2);
    proposals.committed(4000);
    expect(proposals).toMatchObject({ size: 1010, bytes: 2020 });
    expect(proposals.numbers()[0]).toBe(3991);
    proposals.committed(10);
    proposals.committed(9999);
    expect(proposals).toMatchObject({ size: 0, bytes: 0 });
  });
});

describe('progress', () => {
  const progressAt = (next: number): Progress => new Progress(serverNamed('B'), next, 0);

  it('goes from probing to a pipeline with the first answer that agrees', () => {
    const progress = progressAt(5);
    progress.sent(4, 0, 0);
    expect(progress).toMatchObject({ state: 'probe', next: 5 });
    progress.returned(0);
    progress.matched(4);
    expect(progress).toMatchObject({ state: 'pipeline', match: 4, next: 5, inFlight: 0 });
    progress.sent(9, 100, 3);
    expect(progress).toMatchObject({ next: 10, inFlight: 1, inFlightBytes: 100, sentCommit: 3 });
  });

  it('goes back at least one entry on a refusal, and as far as the hint says', () => {
    const progress = progressAt(9);
    progress.mismatched(8, 100);
    expect(progress).toMatchObject({ state: 'probe', next: 8 });
    progress.mismatched(7, 2);
    expect(progress.next).toBe(3);
    progress.mismatched(2, 0);
    expect(progress.next).toBe(1);
  });

  it('never goes back behind what it knows, unless the other has lost that', () => {
    const progress = progressAt(9);
    progress.matched(6);
    progress.mismatched(8, 3);
    expect(progress).toMatchObject({ match: 6, next: 7 });
    progress.mismatched(6, 2);
    expect(progress).toMatchObject({ match: 2, next: 3 });
  });

  it('pauses for longer after each failure, up to a bound, and begins again behind what it knows', () => {
    const progress = progressAt(9);
    progress.matched(6);
    progress.sent(8, 1, 0);
    const pauses = Array.from({ length: 9 }, () => {
      progress.failed(1000, 1000);
      return progress.retryAtMs - 1000;
    });
    expect(pauses).toEqual([10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
    expect(progress).toMatchObject({ state: 'probe', next: 7, inFlight: 0 });
  });

  it('has room for so many requests and so many bytes, and for one whatever its size', () => {
    const progress = progressAt(1);
    const limits = { ...DEFAULT_LIMITS, maxInFlight: 2, maxInFlightBytes: 100 };
    progress.matched(0);
    expect(progress.hasRoom(limits)).toBe(true);
    progress.sent(1, 500, 0);
    expect(progress.hasRoom(limits)).toBe(false);
    progress.returned(500);
    progress.sent(2, 1, 0);
    expect(progress.hasRoom(limits)).toBe(true);
    progress.sent(3, 1, 0);
    expect(progress.hasRoom(limits)).toBe(false);
  });
});

describe('configurations', () => {
  const first = { index: 1, configuration: votersNamed('A', 'B') };
  const second = { index: 5, configuration: votersNamed('A') };
  const third = { index: 9, configuration: votersNamed('A', 'C') };

  it('are in force from when they are appended, and back again when they are cut', () => {
    const configurations = new Configurations([first], 1);
    configurations.append(second);
    configurations.append(third);
    expect(configurations).toMatchObject({ latest: third, committedOne: first, isLatestCommitted: false });
    expect(configurations.truncateFrom(9)).toBe(true);
    expect(configurations.latest).toBe(second);
    expect(configurations.truncateFrom(7)).toBe(false);
    expect(() => configurations.append(first)).toThrow('ascend');
  });

  it('are committed with the log', () => {
    const configurations = new Configurations([first, second, third], 1);
    expect(configurations.committed(6)).toBe(false);
    expect(configurations).toMatchObject({ committedOne: second, latest: third });
    expect([configurations.knows('B'), configurations.knows('C')]).toEqual([false, true]);
    expect(configurations.committed(9)).toBe(true);
    expect(configurations.committed(12)).toBe(false);
  });

  it('that are none know nobody', () => {
    const configurations = new Configurations([], 0);
    expect(configurations.knows('A')).toBe(false);
    expect(configurations.latest).toEqual({ index: 0, configuration: { servers: [] } });
    configurations.append(first);
    expect(configurations.committedOne.index).toBe(0);
    configurations.truncateFrom(1);
    expect(configurations.latest.index).toBe(0);
  });

  it('say who had a vote before one that is not committed', () => {
    const configurations = new Configurations([first, second], 1);
    expect(['A', 'B', 'C'].map((id) => configurations.wasVoterBefore(id))).toEqual([true, true, false]);
    configurations.committed(5);
    expect(configurations.wasVoterBefore('B')).toBe(false);
  });

  it.each([
    ['nobody', []],
    ['no voter', [serverNamed('A', 'nonvoter')]],
    ['a server twice', [serverNamed('A'), { ...serverNamed('A'), address: 'other' }]],
    ['an address twice', [serverNamed('A'), { ...serverNamed('B'), address: 'A:1' }]],
    ['a server without an id', [serverNamed('A'), { ...serverNamed('B'), id: '' }]],
    ['a server without an address', [serverNamed('A'), { ...serverNamed('B'), address: '' }]],
  ] as [string, Server[]][])('with %s are refused', (_what, servers) => {
    expect(() => unwrap(checkConfiguration({ servers }))).toThrow(
      expect.objectContaining({ code: 'raft-configuration-invalid' }),
    );
  });

  it('have majorities of more than half', () => {
    expect([1, 2, 3, 4, 5, 6, 7].map(majorityOf)).toEqual([1, 2, 2, 3, 3, 4, 4]);
  });
});
