import { describe, expect, it } from 'vitest';
import { Random } from '../../src/base/random.ts';
import { Log, sizeOf } from '../../src/raft/log.ts';
import type { Entry } from '../../src/raft/messages.ts';
import { entryOf, MemoryDisk, votersNamed } from './memory-disk.ts';

const EVERYTHING = 1 << 30;

function logOf(terms: readonly number[], maxCachedBytes = EVERYTHING): { log: Log; disk: MemoryDisk } {
  const disk = new MemoryDisk();
  disk.entries = terms.map((term, position) => entryOf(position + 1, term, `${position + 1}`));
  return { log: new Log(disk, null, maxCachedBytes), disk };
}

function snapshotAt(lastIndex: number, lastTerm: number) {
  return { lastIndex, lastTerm, configuration: { index: 1, configuration: votersNamed('A') } };
}

describe('a log', () => {
  it('is what the disk holds, and what was appended since', () => {
    const { log } = logOf([1, 1]);
    log.append(entryOf(3, 2, 'x'));
    expect([1, 2, 3, 4].map((index) => log.termAt(index))).toEqual([1, 1, 2, undefined]);
    expect(log).toMatchObject({ firstIndex: 1, lastIndex: 3, lastTerm: 2, durableIndex: 2 });
    expect(log.unstableBytes).toBe(sizeOf(entryOf(3, 2, 'x')));
  });

  it('knows the term before its first entry: 0 of a new one, else the snapshot’s', () => {
    expect(logOf([]).log.termAt(0)).toBe(0);
    const disk = new MemoryDisk();
    disk.firstIndex = 8;
    const log = new Log(disk, snapshotAt(7, 3), EVERYTHING);
    expect(log).toMatchObject({ firstIndex: 8, lastIndex: 7, lastTerm: 3 });
    expect([6, 7, 8].map((index) => log.termAt(index))).toEqual([undefined, 3, undefined]);
  });

  it('begins behind a snapshot that ends later than it does', () => {
    const { disk } = logOf([1, 1]);
    const log = new Log(disk, snapshotAt(5, 2), EVERYTHING);
    expect(log).toMatchObject({ firstIndex: 6, lastIndex: 5, lastTerm: 2, durableIndex: 5 });
  });

  it('without its last entry is a bug of who keeps it', () => {
    const disk = new MemoryDisk();
    disk.firstIndex = 8;
    expect(() => new Log(disk, null, EVERYTHING)).toThrow('a snapshot that ends with it');
  });

  it('takes entries one after another, with terms that never fall', () => {
    const { log } = logOf([2]);
    expect(() => log.append(entryOf(3, 2))).toThrow('one after another');
    expect(() => log.append(entryOf(2, 1))).toThrow('never fall');
  });

  it('drops from memory what is durable when the cache is full, and nothing else', () => {
    const { log, disk } = logOf([], 3 * sizeOf(entryOf(1, 1, 'x')));
    for (let index = 1; index <= 10; index++) log.append(entryOf(index, 1, 'x'));
    const unread = disk.entry.bind(disk);
    disk.entry = () => {
      throw new Error('not on the disk yet');
    };
    expect(log.entry(1)?.index).toBe(1);
    disk.entry = unread;
    disk.entries = Array.from({ length: 6 }, (_, position) => entryOf(position + 1, 1, 'from the disk'));
    log.durable(6);
    const texts = [1, 6, 7, 10].map((index) => String.fromCharCode(...(log.entry(index)?.data ?? [])));
    expect(texts).toEqual(['from the disk', 'from the disk', 'x', 'x']);
    expect(log.unstableBytes).toBe(4 * sizeOf(entryOf(1, 1, 'x')));
  });

  it('is durable up to where it was cut at most', () => {
    const { log } = logOf([1, 1, 1]);
    log.truncateFrom(2);
    expect(log).toMatchObject({ lastIndex: 1, lastTerm: 1, durableIndex: 1 });
    log.append(entryOf(2, 2, 'y'));
    expect(log).toMatchObject({ lastIndex: 2, lastTerm: 2, durableIndex: 1 });
    expect(() => log.truncateFrom(3)).toThrow('is there');
  });

  it('forgets what is compacted, but for the term of the last of it', () => {
    const { log, disk } = logOf([1, 2, 3]);
    log.compact(2);
    disk.compact(2);
    expect(log).toMatchObject({ firstIndex: 3, lastIndex: 3 });
    expect([1, 2, 3].map((index) => log.termAt(index))).toEqual([undefined, 2, 3]);
    expect(log.entry(2)).toBeUndefined();
    log.append(entryOf(4, 3));
    expect(() => log.compact(4)).toThrow('durable');
  });

  it('is empty behind a snapshot that took its place', () => {
    const { log } = logOf([1, 1]);
    log.append(entryOf(3, 1, 'x'));
    log.reset(snapshotAt(9, 4));
    expect(log).toMatchObject({ firstIndex: 10, lastIndex: 9, lastTerm: 4, durableIndex: 9, unstableBytes: 0 });
    expect(log.termAt(9)).toBe(4);
  });
});

describe('a slice of a log', () => {
  it('is as many entries as fit, and one in any case', () => {
    const { log } = logOf([1, 1, 1, 1]);
    const size = sizeOf(entryOf(1, 1, '1'));
    const indexes = (from: number, maxEntries: number, maxBytes: number): number[] =>
      log.slice(from, maxEntries, maxBytes).entries.map(({ index }) => index);
    expect(indexes(1, 3, EVERYTHING)).toEqual([1, 2, 3]);
    expect(indexes(2, 9, 2 * size)).toEqual([2, 3]);
    expect(indexes(3, 9, 1)).toEqual([3]);
    expect(indexes(5, 9, EVERYTHING)).toEqual([]);
  });

  it('is shared by all who send the same, until the log changes', () => {
    const { log } = logOf([1, 1, 1]);
    const first = log.slice(2, 9, EVERYTHING);
    expect(log.slice(2, 9, EVERYTHING)).toBe(first);
    expect(log.slice(2, 1, EVERYTHING).entries).toHaveLength(1);
    log.append(entryOf(4, 1));
    expect(log.slice(2, 9, EVERYTHING).entries).toHaveLength(3);
    log.truncateFrom(3);
    expect(log.slice(2, 9, EVERYTHING).entries).toHaveLength(1);
  });
});

it.each(Array.from({ length: 40 }, (_, index) => index))(
  'a log is a list with a cache, whatever is done (seed %i)',
  (seed) => {
    const random = new Random(seed);
    const disk = new MemoryDisk();
    const log = new Log(disk, null, random.pick([0, 300, 3000, EVERYTHING]));
    let model: Entry[] = [];
    let first = 1;
    const lastOf = (): number => first - 1 + model.length;
    for (let i = 0; i < 400; i++) {
      const action = random.below(10);
      if (action < 6) {
        const entry = entryOf(
          lastOf() + 1,
          (model.at(-1)?.term ?? log.lastTerm) + random.below(2),
          'x'.repeat(random.below(90)),
        );
        model.push(entry);
        log.append(entry);
      } else if (action === 6 && model.length > 0) {
        const from = first + random.below(model.length);
        model = model.slice(0, from - first);
        log.truncateFrom(from);
        disk.entries.splice(Math.max(0, from - disk.firstIndex));
      } else if (action < 9) {
        const upTo = log.durableIndex + random.below(lastOf() - log.durableIndex + 1);
        for (let index = disk.lastIndex + 1; index <= upTo; index++) disk.entries.push(model[index - first] as Entry);
        log.durable(upTo);
      } else if (log.durableIndex >= first) {
        const upTo = first + random.below(log.durableIndex - first + 1);
        model = model.slice(upTo + 1 - first);
        first = upTo + 1;
        log.compact(upTo);
        disk.compact(upTo);
      }
      expect(log).toMatchObject({ firstIndex: first, lastIndex: lastOf() });
      const unstable = model.slice(log.durableIndex + 1 - first);
      expect(log.unstableBytes).toBe(unstable.reduce((sum, entry) => sum + sizeOf(entry), 0));
      if (model.length === 0) continue;
      const index = first + random.below(model.length);
      expect(log.entry(index)).toEqual(model[index - first]);
      const { entries } = log.slice(index, 5, 500);
      expect(entries).toEqual(model.slice(index - first, index - first + entries.length));
      expect(entries.length).toBeGreaterThan(0);
    }
  },
);
