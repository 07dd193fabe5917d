/**
 * What a rebuild beside a running node keeps in the store until it has ended: which projections it makes, how far it is,
 * and a state of its own, since the log's old blocks are executed on the state that was then. All of it moves on in the
 * batch that the rows are in, so that a process that was killed finds them at one height.
 *
 *     P !            the plan and the height that it has come to
 *     P % state key  value of the state at that height
 *
 * The state is on disk, and only its tree in memory, as the running node has it: the state in memory as well would cost
 * the node its size once more, and could not be resumed.
 */
import { storeKey, utf8 } from '../base/bytes.ts';
import { codec, list, struct, text, uint } from '../base/codec.ts';
import { loadStateTree } from '../ledger/block-log.ts';
import { projectionKey, rangeOf } from '../ledger/layout.ts';
import type { StateChange, StateReader } from '../ledger/state.ts';
import type { Store, StoreOperation } from '../store/store.ts';
import { decodeRow, removeRange, type RowWriter } from './rows.ts';

export interface PlannedRows {
  readonly name: string;
  readonly version: number;
  readonly generation: number;
}

export interface BuildRecord {
  readonly plan: readonly PlannedRows[];
  /** The height that is to be executed next; 0: nothing is done. */
  readonly nextHeight: number;
}

const MAX_PROJECTIONS = 64;
const MAX_NAME_LENGTH = 64;

const recordCodec = codec(
  struct<BuildRecord>({
    plan: list(
      struct<PlannedRows>({ name: text(MAX_NAME_LENGTH), version: uint(), generation: uint() }),
      MAX_PROJECTIONS,
    ),
    nextHeight: uint(),
  }),
  16 * 1024,
);

const RECORD_KEY = projectionKey(utf8('!'));
const STATE_PREFIX = projectionKey(utf8('%'));
const STATE_RANGE = rangeOf(STATE_PREFIX);

const stateRowKey = (key: string) => storeKey(STATE_PREFIX, key);

/** Undefined where no rebuild is under way. @throws CodedError `store-corrupt` */
export function readBuild(store: Pick<Store, 'get'>): BuildRecord | undefined {
  const record = store.get(RECORD_KEY);
  return record === undefined ? undefined : decodeRow(recordCodec, record);
}

export function buildOps(record: BuildRecord): StoreOperation[] {
  return [{ kind: 'put', key: RECORD_KEY, value: recordCodec.encode(record) }];
}

/** It is over: what is left of its state belongs to nobody, and is removed by `removeBuildState`. */
export function buildEndOps(): StoreOperation[] {
  return [{ kind: 'delete', key: RECORD_KEY }];
}

export function buildStateOps(changes: readonly StateChange[]): StoreOperation[] {
  return changes.map(({ key, value }) =>
    value === undefined ? { kind: 'delete', key: stateRowKey(key) } : { kind: 'put', key: stateRowKey(key), value },
  );
}

export function buildStateReader(store: Pick<Store, 'get'>): StateReader {
  return { get: (key) => store.get(stateRowKey(key)) };
}

export async function removeBuildState(store: Pick<Store, 'entries'>, write: RowWriter): Promise<void> {
  await removeRange(store, STATE_RANGE, write);
}

/** The tree of the state that was kept: about 20 us a key. */
export function loadBuildTree(store: Pick<Store, 'entries'>): ReturnType<typeof loadStateTree> {
  return loadStateTree(store, STATE_PREFIX);
}
