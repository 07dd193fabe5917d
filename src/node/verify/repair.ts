/** Deriving again what can be derived. Every repair can be done twice: a process that is killed on the way is started again. */
import { compareBytes, concatBytes, equalBytes, utf8 } from '../../base/bytes.ts';
import { CodedError } from '../../base/result.ts';
import type { Genesis } from '../../ledger/genesis.ts';
import { projectionKey, rangeOf, STATE_RANGE } from '../../ledger/layout.ts';
import { CATALOG } from '../../projections/catalog.ts';
import { readPointer } from '../../projections/rows.ts';
import type { LevelStore } from '../../store/level-store.ts';
import type { KeyRange, Store, StoreOperation } from '../../store/store.ts';
import { replayLedger, type LedgerReplayOptions } from '../replay.ts';
import { directorySource } from '../replay/directory-source.ts';
import { SnapshotFolder } from '../snapshot/snapshot-folder.ts';
import type { Repair } from './finding.ts';

export interface RepairOptions extends Pick<
  LedgerReplayOptions,
  'dataDirectory' | 'into' | 'onNote' | 'onProgress' | 'threads'
> {
  readonly store: LevelStore;
  readonly genesis: Genesis;
}

const OPERATIONS_PER_BATCH = 1000;

/** @throws CodedError of a log that does not replay: what was to be derived from it is left as it is */
export async function repair(repairs: readonly Repair[], options: RepairOptions): Promise<void> {
  const { dataDirectory, store } = options;
  const snapshots = SnapshotFolder.of(dataDirectory);
  const fromLog = new Set<string>();
  await writeAll(store, operationsOf(repairs));
  for (const how of repairs) {
    if (how.kind === 'operations') continue;
    if (how.kind === 'snapshot') await snapshots.remove(how.height);
    else if (how.kind === 'range') await writeAll(store, deletionsIn(store, rangeOf(how.prefix)));
    else fromLog.add(how.what === 'state' ? STATE : how.what.projection);
  }
  if (fromLog.size > 0) await deriveFromLog(fromLog, options);
}

function* operationsOf(repairs: readonly Repair[]): Generator<StoreOperation, void> {
  for (const how of repairs) if (how.kind === 'operations') yield* how.operations;
}

/** No projection is called so. */
const STATE = '';

async function deriveFromLog(wanted: ReadonlySet<string>, options: RepairOptions): Promise<void> {
  const { dataDirectory, genesis, into, onNote, onProgress, store, threads } = options;
  for (const name of wanted) if (name !== STATE && !hasPointer(store, name)) await forget(store, name);
  await replayLedger({
    source: directorySource(store),
    genesis,
    dataDirectory,
    into,
    to: null,
    // Events were signed before a quorum sealed their blocks.
    verifySeals: true,
    verifySignatures: false,
    threads,
    projections: CATALOG.filter(({ name }) => wanted.has(name)),
    compare: false,
    swap: true,
    // Damaged rows tell of nothing.
    olderRows: 'replace',
    onNote,
    onProgress,
    onRebuilt: async (state) => {
      if (wanted.has(STATE)) await writeAll(store, differencesOf(store, state));
    },
  });
}

/** @returns whether it is known which rows of the projection serve */
function hasPointer(store: Store, name: string): boolean {
  try {
    return readPointer(store, name) !== undefined;
  } catch (error) {
    if (error instanceof CodedError) return false;
    throw error;
  }
}

/** All generations of a projection, and its pointer. */
async function forget(store: Store, name: string): Promise<void> {
  const text = utf8(name);
  for (const kind of [':', '#']) {
    const prefix = projectionKey(concatBytes(utf8(kind), text, Uint8Array.of(0)));
    await writeAll(store, deletionsIn(store, rangeOf(prefix)));
  }
  await store.batch([{ kind: 'delete', key: projectionKey(concatBytes(utf8('@'), text)) }], { sync: true });
}

/** What makes the state in the store that which was rebuilt. */
async function* differencesOf(store: Store, rebuilt: Pick<Store, 'entries'>): AsyncGenerator<StoreOperation, void> {
  const kept = store.entries(STATE_RANGE)[Symbol.asyncIterator]();
  let next = await kept.next();
  for await (const [key, value] of rebuilt.entries(STATE_RANGE)) {
    while (next.done !== true && compareBytes(next.value[0], key) < 0) {
      yield { kind: 'delete', key: next.value[0] };
      next = await kept.next();
    }
    const isThere = next.done !== true && equalBytes(next.value[0], key);
    if (!isThere || !equalBytes((next.value as readonly Uint8Array[])[1] as Uint8Array, value)) {
      yield { kind: 'put', key, value };
    }
    if (isThere) next = await kept.next();
  }
  for (; next.done !== true; next = await kept.next()) yield { kind: 'delete', key: next.value[0] };
}

async function* deletionsIn(store: Store, range: KeyRange): AsyncGenerator<StoreOperation, void> {
  for await (const [key] of store.entries(range)) yield { kind: 'delete', key };
}

async function writeAll(
  store: Store,
  operations: Iterable<StoreOperation> | AsyncIterable<StoreOperation>,
): Promise<void> {
  let batch: StoreOperation[] = [];
  for await (const operation of operations) {
    batch.push(operation);
    if (batch.length < OPERATIONS_PER_BATCH) continue;
    await store.batch(batch, { sync: false });
    batch = [];
  }
  await store.batch(batch, { sync: true });
}
