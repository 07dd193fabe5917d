/**
 * Snapshots of this server's state, and of a leader's in its place; and the log that goes behind them. All of it is beside
 * the loop, one thing at a time: a snapshot that is taken, a restore and the cutting of the log never meet.
 */
import { assert } from '../../base/assert.ts';
import { CodedError, type Refusal } from '../../base/result.ts';
import type { SnapshotMeta } from '../../raft/contract.ts';
import type { StoredSnapshot } from '../../raft/stored-records.ts';
import type { StoreOperation } from '../../store/store.ts';
import type { Write } from '../group-commit.ts';
import type { Applier } from './applier.ts';
import { appliedOp, restoringOp, snapshotOp, type RaftLogStore } from './log-store.ts';
import type { SnapshotStore } from './snapshot-store.ts';
import type { StateMachine } from './state-machine.ts';

export interface SnapshottingOptions<O> {
  readonly machine: Pick<StateMachine<O>, 'snapshot' | 'restore'>;
  readonly snapshots: SnapshotStore;
  readonly log: RaftLogStore;
  readonly applier: Applier<O>;
  /** Settles when it is written. */
  readonly write: (write: Write) => Promise<void>;
  readonly taken: (snapshot: SnapshotMeta) => void;
  readonly restored: (snapshot: SnapshotMeta) => void;
  readonly restoreFailed: (ask: number, refusal: Refusal) => void;
  /** One that takes the place of a damaged one could not be taken; the next one is tried when it is due. */
  readonly notTaken: (error: unknown) => void;
  /** State and log are neither the old ones nor the new, or our own bug: the process must stop. */
  readonly failed: (error: unknown) => void;
}

/** Entries that are cut off in one batch. */
const CUT_TOGETHER = 1024;

export class Snapshotting<O> {
  readonly #options: SnapshottingOptions<O>;
  #newest: StoredSnapshot | null;
  /** Kept beside the newest: the engine may still name it. */
  #before: StoredSnapshot | null = null;
  #queue: Promise<void> = Promise.resolve();
  #taking: Promise<StoredSnapshot | null> | null = null;
  #cutTo = 0;
  #isDamaged = false;
  #stopped = false;

  constructor(options: SnapshottingOptions<O>, newest: StoredSnapshot | null) {
    this.#options = options;
    this.#newest = newest;
  }

  get newest(): StoredSnapshot | null {
    return this.#newest;
  }

  /** What an `installSnapshot` that the engine asks for sends. */
  find(lastIndex: number, lastTerm: number): StoredSnapshot | undefined {
    return [this.#newest, this.#before].find(
      (snapshot) => snapshot?.lastIndex === lastIndex && snapshot.lastTerm === lastTerm,
    ) as StoredSnapshot | undefined;
  }

  /** The bytes of one that is sent to another server. One that turns out damaged is replaced by a new one. */
  async *read(snapshot: StoredSnapshot): AsyncIterable<Uint8Array> {
    try {
      yield* this.#options.snapshots.read(snapshot);
    } catch (error) {
      if (error instanceof CodedError && error.code === 'raft-snapshot-damaged') this.#replace();
      throw error;
    }
  }

  /** The newest one must be there for servers that lack what is cut: where its file is gone, another one is made. */
  async check(): Promise<void> {
    if (this.#newest !== null && !(await this.#options.snapshots.has(this.#newest))) this.#replace();
  }

  /**
   * Of what is applied now.
   *
   * @returns null when nothing was applied since the newest one
   * @throws CodedError of `SnapshotStore.write`: nothing is lost, and a later one may succeed
   */
  take(): Promise<StoredSnapshot | null> {
    this.#taking ??= this.#inTurn(() => this.#take()).finally(() => (this.#taking = null));
    return this.#taking;
  }

  /** @param body of the `installSnapshot` */
  restore(ask: number, meta: SnapshotMeta, body: AsyncIterable<Uint8Array>, sizeBytes: number): void {
    void this.#inTurn(() => this.#receive(ask, meta, body, sizeBytes)).catch(this.#options.failed);
  }

  /** Entries up to here may go. */
  cut(upTo: number): void {
    const isUnderWay = this.#cutTo > 0;
    this.#cutTo = Math.max(this.#cutTo, upTo);
    if (!isUnderWay) void this.#inTurn(() => this.#cut()).catch(this.#options.failed);
  }

  /** Settles when nothing is under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#queue;
  }

  #replace(): void {
    this.#isDamaged = true;
    this.take().catch(this.#options.notTaken);
  }

  /** One thing after another. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(work);
    this.#queue = result.then(
      () => undefined,
      () => undefined,
    );
    return result;
  }

  async #take(): Promise<StoredSnapshot | null> {
    const { applier, machine, snapshots, taken, write } = this.#options;
    const isNew = applier.applied.index > (this.#newest?.lastIndex ?? 0);
    if (this.#stopped || applier.applied.index === 0 || (!isNew && !this.#isDamaged)) return null;
    applier.pause();
    const { index: lastIndex, term: lastTerm } = applier.applied;
    const meta: SnapshotMeta = { lastIndex, lastTerm, configuration: applier.configuration };
    // Consistent whatever is applied while its bytes are read; only the beginning needs the state to stand still.
    const state = await machine.snapshot().finally(() => applier.resume());
    const stored = await snapshots.write(meta, state, null);
    await write({ operations: [snapshotOp(stored)], sync: true });
    this.#note(stored);
    this.#isDamaged = false;
    taken(meta);
    await snapshots.prune(stored);
    return stored;
  }

  async #receive(ask: number, meta: SnapshotMeta, body: AsyncIterable<Uint8Array>, sizeBytes: number): Promise<void> {
    const { applier, restored, restoreFailed, snapshots, write } = this.#options;
    let stored: StoredSnapshot;
    try {
      stored = await snapshots.write(meta, body, sizeBytes);
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      return restoreFailed(ask, error);
    }
    applier.pause();
    const refusal = await replaceState(stored, this.#options);
    if (refusal === null) {
      applier.restored({ index: stored.lastIndex, term: stored.lastTerm }, stored.configuration);
      this.#note(stored);
      restored(meta);
    } else {
      await write({ operations: [restoringOp(null)], sync: true });
      restoreFailed(ask, refusal);
    }
    // Not after a failure: nothing may be applied to a state that is neither the old one nor the new.
    applier.resume();
    await snapshots.prune(stored);
  }

  async #cut(): Promise<void> {
    const { log, write } = this.#options;
    for (;;) {
      const operations = this.#stopped ? [] : log.compactOps(this.#cutTo, CUT_TOGETHER);
      if (operations.length === 0) break;
      await write({ operations, sync: false });
    }
    this.#cutTo = 0;
  }

  #note(snapshot: StoredSnapshot): void {
    this.#before = this.#newest;
    this.#newest = snapshot;
  }
}

/**
 * The snapshot becomes the state, and the log ends with it. A mark in the store says from the first write to the last that
 * this is under way: a process that ends within begins again, with the same snapshot.
 *
 * @returns a refusal when the state machine would not take it and nothing was changed by this but the mark
 */
export async function replaceState<O>(
  snapshot: StoredSnapshot,
  {
    log,
    machine,
    snapshots,
    write,
  }: Pick<SnapshottingOptions<O>, 'log' | 'machine' | 'snapshots'> & {
    readonly write: (write: Write) => Promise<void>;
  },
): Promise<Refusal | null> {
  await write({ operations: [restoringOp(snapshot)], sync: true });
  let pieces = 0;
  try {
    for await (const operations of machine.restore(readAgain(() => snapshots.read(snapshot)))) {
      pieces++;
      await write({ operations, sync: false });
    }
  } catch (error) {
    if (pieces > 0 || !(error instanceof CodedError)) throw error;
    return error;
  }
  for (;;) {
    const operations = log.compactOps(log.lastIndex, CUT_TOGETHER);
    if (operations.length === 0) break;
    await write({ operations, sync: false });
  }
  const operations: StoreOperation[] = [
    ...log.restartOps(snapshot.lastIndex),
    appliedOp({ index: snapshot.lastIndex, term: snapshot.lastTerm }),
    snapshotOp(snapshot),
    restoringOp(null),
  ];
  await write({ operations, sync: true });
  assert(log.lastIndex === snapshot.lastIndex, 'the log ends with the snapshot', { lastIndex: log.lastIndex });
  return null;
}

/** What may be read more than once, each time from the first byte. */
function readAgain(read: () => AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  return { [Symbol.asyncIterator]: () => read()[Symbol.asyncIterator]() };
}
