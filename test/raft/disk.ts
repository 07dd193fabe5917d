/** What one server has durably: what a crash leaves. A write is whole or not there at all. */
import { assert } from '../../src/base/assert.ts';
import type { HardState, LogReader, RaftEffect, SnapshotMeta } from '../../src/raft/contract.ts';
import { ENTRY_TYPES, type Entry, type LoggedConfiguration } from '../../src/raft/messages.ts';
import { decodeConfiguration } from './words.ts';

export type Persist = Extract<RaftEffect, { kind: 'persist' }>;

/** A snapshot with the state that it stands for: the commands that were applied, in order. */
export interface HeldSnapshot {
  readonly meta: SnapshotMeta;
  readonly state: readonly string[];
}

export class RaftDisk implements LogReader {
  hardState: HardState = { term: 0, votedFor: null };
  snapshot: HeldSnapshot | null = null;
  #firstIndex = 1;
  #entries: Entry[] = [];

  get firstIndex(): number {
    return this.#firstIndex;
  }

  get lastIndex(): number {
    return this.#firstIndex + this.#entries.length - 1;
  }

  get entries(): readonly Entry[] {
    return this.#entries;
  }

  entry(index: number): Entry | undefined {
    return this.#entries[index - this.#firstIndex];
  }

  /** The term at an index, that of the snapshot's last entry too. */
  termAt(index: number): number | undefined {
    if (index === 0) return 0;
    return (
      this.entry(index)?.term ?? (this.snapshot?.meta.lastIndex === index ? this.snapshot.meta.lastTerm : undefined)
    );
  }

  write({ hardState, truncateFrom, entries }: Pick<Persist, 'hardState' | 'truncateFrom' | 'entries'>): void {
    if (hardState !== null) this.#remember(hardState);
    if (truncateFrom !== null) {
      assert(truncateFrom >= this.#firstIndex, 'what is cut is there', { truncateFrom, first: this.#firstIndex });
      this.#entries.length = Math.min(this.#entries.length, truncateFrom - this.#firstIndex);
    }
    for (const entry of entries) {
      const last = this.lastIndex;
      assert(entry.index === last + 1, 'a log has no gap', { index: entry.index, last });
      this.#entries.push(entry);
    }
  }

  /** Raft, figure 2: a term never goes back, and a term's vote is never changed. */
  #remember(next: HardState): void {
    const before = this.hardState;
    assert(next.term >= before.term, 'a term never goes back', { before: before.term, next: next.term });
    const isChanged = next.term === before.term && before.votedFor !== null && next.votedFor !== before.votedFor;
    assert(!isChanged, 'a vote is never changed', { term: next.term, before: before.votedFor, next: next.votedFor });
    this.hardState = next;
  }

  compact(upTo: number): void {
    const covered = this.snapshot?.meta.lastIndex ?? 0;
    assert(upTo <= covered, 'a snapshot holds what is dropped', { upTo, covered });
    const gone = Math.max(0, Math.min(upTo - this.#firstIndex + 1, this.#entries.length));
    this.#entries = this.#entries.slice(gone);
    this.#firstIndex += gone;
  }

  install(snapshot: HeldSnapshot): void {
    this.snapshot = snapshot;
    this.#entries = [];
    this.#firstIndex = snapshot.meta.lastIndex + 1;
  }

  /** Those of the snapshot and of the log, ascending, from the last on that is known to be committed. */
  configurations(committed: number): LoggedConfiguration[] {
    const logged = this.#entries
      .filter(({ type }) => type === ENTRY_TYPES.configuration)
      .map(({ index, data }) => ({ index, configuration: decodeConfiguration(data ?? new Uint8Array()) }));
    const first = this.snapshot?.meta.configuration;
    const all = first === undefined ? logged : [first, ...logged.filter(({ index }) => index > first.index)];
    const known = all.findLastIndex(({ index }) => index <= committed);
    return all.slice(Math.max(0, known));
  }

  copy(): RaftDisk {
    const copy = new RaftDisk();
    copy.hardState = this.hardState;
    copy.snapshot = this.snapshot;
    copy.#firstIndex = this.#firstIndex;
    copy.#entries = [...this.#entries];
    return copy;
  }
}
