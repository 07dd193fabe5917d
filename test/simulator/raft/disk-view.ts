/**
 * What the disk of one server holds of its Raft log, as a power cut would leave it, read from the batches that became
 * durable, in their order. What it held and holds no more is remembered too: it was promised once.
 */
import { equalBytes } from '../../../src/base/bytes.ts';
import { unwrap, type Result } from '../../../src/base/result.ts';
import { contentOf as withoutCheck } from '../../../src/ledger/checked-record.ts';
import {
  RAFT_ENTRY_RANGE,
  RAFT_HARD_STATE_KEY,
  RAFT_LOG_KEY,
  RAFT_SNAPSHOT_KEY,
  fromBigEndian,
} from '../../../src/ledger/layout.ts';
import type { HardState } from '../../../src/raft/contract.ts';
import type { Entry } from '../../../src/raft/messages.ts';
import { readStoredEntry } from '../../../src/raft/stored-entry.ts';
import {
  hardStateCodec,
  logBoundsCodec,
  snapshotCodec,
  type StoredSnapshot,
} from '../../../src/raft/stored-records.ts';
import type { StoreOperation } from '../../../src/store/store.ts';
import type { LogTerms } from './checkers/books.ts';
import type { DurableLog } from './checkers/promises.ts';

/** What is seen of a disk, when it becomes durable. */
export interface DiskListener {
  hardState(now: HardState): void;
  /** @param previousTerm of the entry before it; null where that is compacted */
  entry(entry: Entry, previousTerm: number | null): void;
  /** The log holds it no more: it is cut off, compacted, or gives way to a snapshot. */
  deleted(index: number): void;
  snapshot(snapshot: StoredSnapshot): void;
}

const ENTRY_TAG = RAFT_ENTRY_RANGE.gte?.[0] ?? 0;

export class DiskView implements DurableLog, LogTerms {
  hardState: HardState = { term: 0, votedFor: null };
  lastIndex = 0;
  snapshotIndex = 0;
  #snapshotTerm = 0;
  readonly #listener: DiskListener;
  readonly #terms = new Map<number, number>();
  readonly #everHeld = new Set<string>();

  constructor(listener: DiskListener) {
    this.#listener = listener;
  }

  termAt(index: number): number | undefined {
    if (index === this.snapshotIndex) return this.#snapshotTerm;
    return index > this.lastIndex ? undefined : this.#terms.get(index);
  }

  everHeld(index: number, term: number): boolean {
    return this.#everHeld.has(`${index} ${term}`);
  }

  /** Whether this entry is there, or a snapshot that ends with it or later. */
  holds(index: number, term: number): boolean {
    return index <= this.snapshotIndex || this.termAt(index) === term;
  }

  /** A batch that became durable. */
  durable(operations: readonly StoreOperation[]): void {
    for (const operation of operations) {
      const { key } = operation;
      if (key[0] === ENTRY_TAG) this.#entry(fromBigEndian(key.subarray(1)), operation);
      else if (operation.kind === 'put') this.#record(key, operation.value);
    }
  }

  #entry(index: number, operation: StoreOperation): void {
    if (operation.kind === 'delete') {
      this.#terms.delete(index);
      this.#listener.deleted(index);
      return;
    }
    const entry = unwrap(readStoredEntry(operation.value));
    const before = index === this.snapshotIndex + 1 ? this.#snapshotTerm : this.#terms.get(index - 1);
    this.#terms.set(index, entry.term);
    this.#everHeld.add(`${index} ${entry.term}`);
    this.#listener.entry(entry, index === 1 ? 0 : (before ?? null));
  }

  #record(key: Uint8Array, value: Uint8Array): void {
    if (equalBytes(key, RAFT_HARD_STATE_KEY)) {
      this.hardState = decoded(value, (bytes) => hardStateCodec.decode(bytes));
      this.#listener.hardState(this.hardState);
    } else if (equalBytes(key, RAFT_LOG_KEY)) {
      this.lastIndex = decoded(value, (bytes) => logBoundsCodec.decode(bytes)).lastIndex;
    } else if (equalBytes(key, RAFT_SNAPSHOT_KEY)) {
      const snapshot: StoredSnapshot = decoded(value, (bytes) => snapshotCodec.decode(bytes));
      this.snapshotIndex = snapshot.lastIndex;
      this.#snapshotTerm = snapshot.lastTerm;
      this.#listener.snapshot(snapshot);
    }
  }
}

function decoded<T>(value: Uint8Array, decode: (bytes: Uint8Array) => Result<T>): T {
  const content = withoutCheck(value);
  if (content === null) throw new Error('a record of the simulated disk has changed');
  return unwrap(decode(content));
}
