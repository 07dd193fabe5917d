/**
 * The log as the engine sees it: what the disk holds, with what is on its way there on top.
 *
 *     compacted | read through the LogReader | cached, durable | cached, not durable yet
 *               ^ firstIndex                 ^ #firstCached    ^ durableIndex + 1      ^ lastIndex
 *
 * The newest entries stay in memory, so that a leader sends and a follower applies without reading: as many as
 * `maxCachedBytes` holds, and in any case those that are not durable.
 */
import { assert } from '../base/assert.ts';
import type { LogReader, SnapshotMeta } from './contract.ts';
import type { Entry } from './messages.ts';

/** Consecutive entries, shared by all who send the same ones. */
export interface Slice {
  readonly entries: readonly Entry[];
  readonly bytes: number;
}

const NOTHING: Slice = { entries: [], bytes: 0 };

/** Of an entry beside its data: index, term, type and what holds them. */
const ENTRY_OVERHEAD_BYTES = 64;

/** What an entry costs in memory and, about, on the wire. */
export function sizeOf(entry: Entry): number {
  return ENTRY_OVERHEAD_BYTES + (entry.data?.length ?? 0) + (entry.extensions?.length ?? 0);
}

export class Log {
  readonly #reader: LogReader;
  readonly #maxCachedBytes: number;
  /** The cached entries from `#head` on; before it are holes that are cut off now and then. */
  #cached: (Entry | undefined)[] = [];
  #head = 0;
  #firstCached: number;
  #cachedBytes = 0;
  #unstableBytes = 0;
  #firstIndex: number;
  #lastIndex: number;
  #lastTerm: number;
  #durableIndex: number;
  /** The entry before the first one, whose term a follower's log is compared with. */
  #boundary: { readonly index: number; readonly term: number };
  #slice: Slice = NOTHING;

  constructor(reader: LogReader, snapshot: SnapshotMeta | null, maxCachedBytes: number) {
    this.#reader = reader;
    this.#maxCachedBytes = maxCachedBytes;
    const snapshotIndex = snapshot?.lastIndex ?? 0;
    const isBehindSnapshot = reader.lastIndex < snapshotIndex;
    this.#lastIndex = isBehindSnapshot ? snapshotIndex : reader.lastIndex;
    this.#firstIndex = isBehindSnapshot ? snapshotIndex + 1 : reader.firstIndex;
    this.#boundary = { index: snapshotIndex, term: snapshot?.lastTerm ?? 0 };
    this.#firstCached = this.#lastIndex + 1;
    this.#durableIndex = this.#lastIndex;
    const lastTerm = this.#lastIndex === snapshotIndex ? this.#boundary.term : reader.entry(this.#lastIndex)?.term;
    assert(lastTerm !== undefined, 'the last entry is there, or a snapshot that ends with it', {
      lastIndex: this.#lastIndex,
      firstIndex: this.#firstIndex,
      snapshotIndex,
    });
    this.#lastTerm = lastTerm;
  }

  /** `lastIndex + 1` when nothing is there. */
  get firstIndex(): number {
    return this.#firstIndex;
  }

  get lastIndex(): number {
    return this.#lastIndex;
  }

  get lastTerm(): number {
    return this.#lastTerm;
  }

  /** Everything up to here is on the disk as it is in the log now. */
  get durableIndex(): number {
    return this.#durableIndex;
  }

  /** Bytes of the entries that are not durable yet. */
  get unstableBytes(): number {
    return this.#unstableBytes;
  }

  entry(index: number): Entry | undefined {
    if (index > this.#lastIndex || index < this.#firstIndex) return undefined;
    if (index >= this.#firstCached) return this.#cached[this.#head + index - this.#firstCached];
    return this.#reader.entry(index);
  }

  /** @returns 0 before the first entry that ever was; undefined where it is not known: compacted, or not written yet */
  termAt(index: number): number | undefined {
    if (index === this.#lastIndex) return this.#lastTerm;
    if (index === 0) return 0;
    return index === this.#boundary.index ? this.#boundary.term : this.entry(index)?.term;
  }

  append(entry: Entry): void {
    assert(entry.index === this.#lastIndex + 1, 'entries are appended one after another', {
      index: entry.index,
      lastIndex: this.#lastIndex,
    });
    assert(entry.term >= this.#lastTerm, 'terms never fall along a log', {
      term: entry.term,
      lastTerm: this.#lastTerm,
    });
    const bytes = sizeOf(entry);
    this.#cached.push(entry);
    this.#cachedBytes += bytes;
    this.#unstableBytes += bytes;
    this.#lastIndex = entry.index;
    this.#lastTerm = entry.term;
    this.#slice = NOTHING;
  }

  /** Entries from this index on go. */
  truncateFrom(index: number): void {
    assert(index >= this.#firstIndex && index <= this.#lastIndex, 'what is cut off is there', {
      index,
      firstIndex: this.#firstIndex,
      lastIndex: this.#lastIndex,
    });
    const lastTerm = this.termAt(index - 1);
    assert(lastTerm !== undefined, 'the log begins at the snapshot or before', { index });
    for (let cut = this.#lastIndex; cut >= index && cut >= this.#firstCached; cut--) {
      const bytes = sizeOf(this.#cached.pop() as Entry);
      this.#cachedBytes -= bytes;
      if (cut > this.#durableIndex) this.#unstableBytes -= bytes;
    }
    this.#lastIndex = index - 1;
    this.#lastTerm = lastTerm;
    this.#firstCached = Math.min(this.#firstCached, index);
    this.#durableIndex = Math.min(this.#durableIndex, index - 1);
    this.#slice = NOTHING;
  }

  /** The disk holds everything up to here. */
  durable(upTo: number): void {
    const from = Math.max(this.#durableIndex + 1, this.#firstCached);
    for (let index = from; index <= upTo; index++)
      this.#unstableBytes -= sizeOf(this.#cached[this.#head + index - this.#firstCached] as Entry);
    this.#durableIndex = Math.max(this.#durableIndex, upTo);
    this.#trim();
  }

  /** Entries up to here go: a snapshot holds what they did. */
  compact(upTo: number): void {
    assert(upTo >= this.#firstIndex && upTo <= this.#durableIndex, 'what is compacted is durable and still there', {
      upTo,
      firstIndex: this.#firstIndex,
      durableIndex: this.#durableIndex,
    });
    const term = this.termAt(upTo);
    assert(term !== undefined, 'an entry that is compacted is known', { upTo });
    this.#boundary = { index: upTo, term };
    while (this.#firstCached <= upTo && this.#head < this.#cached.length) this.#dropFirst();
    this.#firstCached = Math.max(this.#firstCached, upTo + 1);
    this.#firstIndex = upTo + 1;
    this.#slice = NOTHING;
  }

  /** The state came from elsewhere: nothing of this log is left. */
  reset({ lastIndex, lastTerm }: SnapshotMeta): void {
    this.#cached = [];
    this.#head = 0;
    this.#cachedBytes = 0;
    this.#unstableBytes = 0;
    this.#boundary = { index: lastIndex, term: lastTerm };
    this.#firstIndex = this.#firstCached = lastIndex + 1;
    this.#lastIndex = this.#durableIndex = lastIndex;
    this.#lastTerm = lastTerm;
    this.#slice = NOTHING;
  }

  /** Entries from `from` on, as many as fit; one that is larger than `maxBytes` goes alone. */
  slice(from: number, maxEntries: number, maxBytes: number): Slice {
    if (from > this.#lastIndex) return NOTHING;
    const last = this.#slice;
    if (last.entries[0]?.index === from && last.entries.length <= maxEntries) return last;
    const entries: Entry[] = [];
    let bytes = 0;
    for (let index = from; index <= this.#lastIndex && entries.length < maxEntries; index++) {
      const entry = this.entry(index);
      assert(entry !== undefined, 'an entry between the first and the last is there', { index });
      const size = sizeOf(entry);
      if (entries.length > 0 && bytes + size > maxBytes) break;
      entries.push(entry);
      bytes += size;
    }
    this.#slice = { entries, bytes };
    return this.#slice;
  }

  #trim(): void {
    while (this.#cachedBytes > this.#maxCachedBytes && this.#firstCached <= this.#durableIndex) this.#dropFirst();
  }

  #dropFirst(): void {
    this.#cachedBytes -= sizeOf(this.#cached[this.#head] as Entry);
    this.#cached[this.#head++] = undefined;
    this.#firstCached++;
    if (this.#head >= 1024 && this.#head * 2 >= this.#cached.length) {
      this.#cached = this.#cached.slice(this.#head);
      this.#head = 0;
    }
  }
}
