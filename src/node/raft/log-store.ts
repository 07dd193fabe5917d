/**
 * The Raft log, term and vote in the one store. Reads are synchronous; what is written is handed out as operations, so
 * that whoever runs the loop puts them into its batches. The bounds of the log are a record of their own, in the same
 * batch as what changes them: an entry that is missing at either end is damage, and not a shorter log.
 */
import { codedError, type CodedError, type Result } from '../../base/result.ts';
import type { Codec } from '../../base/codec.ts';
import { contentOf, withCheck } from '../../ledger/checked-record.ts';
import {
  RAFT_APPLIED_KEY,
  RAFT_ENTRY_RANGE,
  RAFT_HARD_STATE_KEY,
  RAFT_HISTORY_KEY,
  RAFT_LOG_KEY,
  RAFT_RESTORING_KEY,
  RAFT_SNAPSHOT_KEY,
  raftEntryKey,
} from '../../ledger/layout.ts';
import type { HardState, LogReader, RaftEffect } from '../../raft/contract.ts';
import { ENTRY_TYPES, type Entry } from '../../raft/messages.ts';
import { readStoredEntry, storedEntryBytes, writeStoredEntry } from '../../raft/stored-entry.ts';
import {
  appliedCodec,
  hardStateCodec,
  historyCodec,
  logBoundsCodec,
  snapshotCodec,
  type AppliedRecord,
  type HistoryRecord,
  type LogBounds,
  type StoredSnapshot,
} from '../../raft/stored-records.ts';
import type { Store, StoreOperation } from '../../store/store.ts';

export type PersistEffect = Extract<RaftEffect, { kind: 'persist' }>;

/** What is found in the store of a server, checked against itself. */
export interface StoredRaft {
  readonly log: RaftLogStore;
  readonly hardState: HardState;
  readonly snapshot: StoredSnapshot | null;
  /** A snapshot whose restore was cut off: it begins again before anything else. */
  readonly restoring: StoredSnapshot | null;
  readonly applied: AppliedRecord;
  readonly history: HistoryRecord | null;
  /** Entries of the log that hold a configuration, ascending. */
  readonly configurationEntries: readonly Entry[];
}

const NOTHING: LogBounds = { firstIndex: 1, lastIndex: 0 };
const NEVER_APPLIED: AppliedRecord = { index: 0, term: 0 };
const CONFIGURATION_TYPES: ReadonlySet<number> = new Set([
  ENTRY_TYPES.addPeer,
  ENTRY_TYPES.removePeer,
  ENTRY_TYPES.configuration,
]);

export class RaftLogStore implements LogReader {
  readonly #store: Store;
  #bounds: LogBounds;

  constructor(store: Store, bounds: LogBounds) {
    this.#store = store;
    this.#bounds = bounds;
  }

  get firstIndex(): number {
    return this.#bounds.firstIndex;
  }

  get lastIndex(): number {
    return this.#bounds.lastIndex;
  }

  /**
   * Of what is written already; what is on its way to the disk, the engine holds.
   *
   * @throws CodedError `store-corrupt`
   */
  entry(index: number): Entry | undefined {
    if (index < this.#bounds.firstIndex || index > this.#bounds.lastIndex) return undefined;
    const bytes = this.#store.get(raftEntryKey(index));
    return bytes === undefined ? undefined : checkedEntry(index, bytes);
  }

  /** Term and vote first, then the log is cut, then it grows: one batch, all or nothing. */
  persistOps({ entries, hardState, truncateFrom }: PersistEffect): StoreOperation[] {
    const operations: StoreOperation[] = [];
    if (hardState !== null) operations.push(hardStateOp(hardState));
    const from = truncateFrom ?? this.#bounds.lastIndex + 1;
    const writtenTo = entries.at(-1)?.index ?? 0;
    for (let index = from; index <= this.#bounds.lastIndex; index++) {
      if (index > writtenTo) operations.push({ kind: 'delete', key: raftEntryKey(index) });
    }
    putEntries(entries, operations);
    if (truncateFrom === null && entries.length === 0) return operations;
    this.#move({ firstIndex: this.#bounds.firstIndex, lastIndex: entries.at(-1)?.index ?? from - 1 }, operations);
    return operations;
  }

  /** At most `most` entries at the front go, none beyond `upTo`. Empty when nothing is left to go. */
  compactOps(upTo: number, most: number): StoreOperation[] {
    const { firstIndex, lastIndex } = this.#bounds;
    const last = Math.min(upTo, lastIndex, firstIndex + most - 1);
    if (last < firstIndex) return [];
    const operations: StoreOperation[] = [];
    for (let index = firstIndex; index <= last; index++) {
      operations.push({ kind: 'delete', key: raftEntryKey(index) });
    }
    this.#move({ firstIndex: last + 1, lastIndex }, operations);
    return operations;
  }

  /** The log is empty, and the next entry is the one behind `lastIndex`. All entries must be gone by `compactOps`. */
  restartOps(lastIndex: number): StoreOperation[] {
    const operations: StoreOperation[] = [];
    this.#move({ firstIndex: lastIndex + 1, lastIndex }, operations);
    return operations;
  }

  #move(bounds: LogBounds, operations: StoreOperation[]): void {
    this.#bounds = bounds;
    operations.push(put(RAFT_LOG_KEY, logBoundsCodec, bounds));
  }
}

export function hardStateOp(hardState: HardState): StoreOperation {
  return put(RAFT_HARD_STATE_KEY, hardStateCodec, hardState);
}

export function appliedOp(applied: AppliedRecord): StoreOperation {
  return put(RAFT_APPLIED_KEY, appliedCodec, applied);
}

export function snapshotOp(snapshot: StoredSnapshot): StoreOperation {
  return put(RAFT_SNAPSHOT_KEY, snapshotCodec, snapshot);
}

export function historyOp(history: HistoryRecord): StoreOperation {
  return put(RAFT_HISTORY_KEY, historyCodec, history);
}

/** From its first operation to its last, a restore leaves this mark. */
export function restoringOp(snapshot: StoredSnapshot | null): StoreOperation {
  return snapshot === null
    ? { kind: 'delete', key: RAFT_RESTORING_KEY }
    : put(RAFT_RESTORING_KEY, snapshotCodec, snapshot);
}

/**
 * Reads the whole log once, as the check of each entry asks for, and finds the configurations in it.
 *
 * @throws CodedError `store-corrupt`, `raft-log-inconsistent`
 */
export async function openRaft(store: Store): Promise<StoredRaft> {
  const bounds = recordOf(store, RAFT_LOG_KEY, logBoundsCodec, 'the bounds of the Raft log') ?? NOTHING;
  const hardState = recordOf(store, RAFT_HARD_STATE_KEY, hardStateCodec, 'term and vote');
  const snapshot = recordOf(store, RAFT_SNAPSHOT_KEY, snapshotCodec, 'the snapshot') ?? null;
  const restoring = recordOf(store, RAFT_RESTORING_KEY, snapshotCodec, 'the snapshot that is restored') ?? null;
  const applied = recordOf(store, RAFT_APPLIED_KEY, appliedCodec, 'the applied index') ?? NEVER_APPLIED;
  const history = recordOf(store, RAFT_HISTORY_KEY, historyCodec, 'the history') ?? null;
  const { configurationEntries, lastTerm } = await scan(store, bounds);
  const found = { bounds, lastTerm, hardState: hardState ?? { term: 0, votedFor: null }, snapshot, applied };
  if (hardState === undefined && (bounds.lastIndex > 0 || snapshot !== null))
    throw inconsistent('there is a log and no term', { lastIndex: bounds.lastIndex });
  if (restoring === null) checkAgreement(found);
  return {
    log: new RaftLogStore(store, bounds),
    hardState: found.hardState,
    snapshot,
    restoring,
    applied,
    history,
    configurationEntries,
  };
}

async function scan(
  store: Store,
  { firstIndex, lastIndex }: LogBounds,
): Promise<{ readonly configurationEntries: readonly Entry[]; readonly lastTerm: number }> {
  const configurationEntries: Entry[] = [];
  let next = firstIndex;
  let term = 0;
  for await (const [key, bytes] of store.entries(RAFT_ENTRY_RANGE)) {
    const entry = checkedEntry(next, bytes);
    if (Buffer.compare(key, raftEntryKey(next)) !== 0) throw corrupt('an entry of the Raft log is missing', next);
    if (entry.term < term) throw inconsistent('terms fall along the log', { index: next, term: entry.term });
    term = entry.term;
    // Views would hold the whole page of the iterator.
    if (CONFIGURATION_TYPES.has(entry.type)) configurationEntries.push({ ...entry, data: entry.data?.slice() ?? null });
    next++;
  }
  if (next !== lastIndex + 1) throw corrupt('entries of the Raft log are missing', next);
  return { configurationEntries, lastTerm: term };
}

function checkAgreement(found: {
  readonly bounds: LogBounds;
  /** 0 where no entry is there. */
  readonly lastTerm: number;
  readonly hardState: HardState;
  readonly snapshot: StoredSnapshot | null;
  readonly applied: AppliedRecord;
}): void {
  const { applied, bounds, hardState, lastTerm, snapshot } = found;
  const { firstIndex, lastIndex } = bounds;
  const snapshotIndex = snapshot?.lastIndex ?? 0;
  const details = { firstIndex, lastIndex, snapshotIndex, appliedIndex: applied.index };
  if (Math.max(lastTerm, snapshot?.lastTerm ?? 0) > hardState.term)
    throw inconsistent('the log is of a later term than this server ever was in', { lastTerm, term: hardState.term });
  if (firstIndex > snapshotIndex + 1) throw inconsistent('entries are missing behind the snapshot', details);
  if (lastIndex < snapshotIndex) throw inconsistent('the log ends before the snapshot', details);
  if (applied.index > lastIndex) throw inconsistent('more was applied than the log holds', details);
  if (applied.index < snapshotIndex) throw inconsistent('less was applied than the snapshot holds', details);
}

/** One buffer for all keys and values of a write: what is small and on its own costs V8 a copy when it crosses over. */
function putEntries(entries: readonly Entry[], operations: StoreOperation[]): void {
  let bytes = 0;
  for (const entry of entries) bytes += storedEntryBytes(entry);
  const buffer = new Uint8Array(bytes);
  let at = 0;
  for (const entry of entries) {
    const end = writeStoredEntry(entry, buffer, at);
    operations.push({ kind: 'put', key: raftEntryKey(entry.index), value: buffer.subarray(at, end) });
    at = end;
  }
}

function checkedEntry(index: number, bytes: Uint8Array): Entry {
  const read = readStoredEntry(bytes);
  if (!read.ok) throw corrupt(read.refusal.message, index);
  if (read.value.index !== index) throw corrupt('an entry of the Raft log is not where it belongs', index);
  return read.value;
}

function recordOf<T>(store: Store, key: Uint8Array, codec: Codec<T>, what: string): T | undefined {
  const written = store.get(key);
  if (written === undefined) return undefined;
  const content = contentOf(written);
  const decoded: Result<T> | null = content === null ? null : codec.decode(content);
  if (decoded?.ok !== true) throw codedError('store-corrupt', `${what} has changed since it was written`);
  return decoded.value;
}

function put<T>(key: Uint8Array, codec: Codec<T>, value: T): StoreOperation {
  return { kind: 'put', key, value: withCheck(codec.encode(value)) };
}

function corrupt(message: string, index: number): CodedError {
  return codedError('store-corrupt', message, { index });
}

function inconsistent(message: string, details: Readonly<Record<string, number>>): CodedError {
  return codedError('raft-log-inconsistent', message, details);
}
