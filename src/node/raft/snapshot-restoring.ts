/**
 * Taking a snapshot of the ledger in place of all that was there. First all of it is read and judged, beside the state
 * that is there: a snapshot that does not hold changes nothing. Then the one takes the other's place, in parts. A process
 * that ends before that is over finds so when it starts, and begins again with the first byte.
 */
import { assert } from '../../base/assert.ts';
import { concatBytes, textFromUtf8 } from '../../base/bytes.ts';
import { CodedError, type Result } from '../../base/result.ts';
import { headBlockOps, stateOps } from '../../ledger/block-log.ts';
import { LEDGER_RANGES, RESTORED_RANGE, restoredKey } from '../../ledger/layout.ts';
import { legacyKeyOf, LegacyState } from '../../ledger/legacy-state.ts';
import { LedgerRestoration, type RestoredLedger } from '../../ledger/raft-snapshot.ts';
import type { StateChange } from '../../ledger/state.ts';
import type { KeyRange, Store, StoreOperation } from '../../store/store.ts';
import { legacyValueOps, standingOps } from './ledger-store.ts';
import { SnapshotText, type SnapshotPart } from './snapshot-text.ts';

type Operations = readonly StoreOperation[];

export type Restored =
  { readonly kind: 'map'; readonly legacy: LegacyState } | ({ readonly kind: 'chain' } & RestoredLedger);

/** Operations of one batch. */
const BATCH_OPERATIONS = 1000;
const BATCH_BYTES = 1024 * 1024;

/**
 * Reads and judges. What is yielded is written beside the state; each before the next is asked for.
 *
 * @throws CodedError `snapshot-malformed`, and those of `LedgerRestoration` (as refusals)
 */
export async function* stageSnapshot(
  snapshot: AsyncIterable<Uint8Array>,
  chainId: string,
  store: Store,
): AsyncGenerator<Operations, Restored> {
  // Of an earlier attempt.
  yield* deletions(store, RESTORED_RANGE);
  const text = new SnapshotText();
  const legacy = new LegacyState();
  const restoration = new LedgerRestoration(chainId);
  const take = (parts: readonly SnapshotPart[]): Operations => {
    const values: (SnapshotPart & { kind: 'value' })[] = [];
    const staged: StoreOperation[] = [];
    for (const part of parts) {
      if (part.kind === 'value') values.push(part);
      else staged.push(...stagedOps(taken(restoration.takeChunk(part.chunk))));
    }
    if (text.isLedger) staged.push(...stagedOps(taken(restoration.takeValues(values))));
    else legacy.apply(values.map(({ key, value }) => ({ operation: 'set', key, value })));
    return staged;
  };
  for await (const bytes of snapshot) {
    const staged = take(text.push(bytes));
    if (staged.length > 0) yield staged;
  }
  const staged = take(text.end());
  if (staged.length > 0) yield staged;
  return text.isLedger ? { kind: 'chain', ...taken(restoration.end()) } : { kind: 'map', legacy };
}

/** Puts what was staged in the place of what is there; each batch before the next is asked for. */
export async function* replaceLedger(restored: Restored, store: Store): AsyncGenerator<Operations, void> {
  yield standingOps({ kind: 'restoring' });
  for (const range of LEDGER_RANGES) yield* deletions(store, range);
  if (restored.kind === 'map') {
    yield* inBatches(legacyValueOps(restored.legacy.values));
    yield standingOps({ kind: 'map', root: restored.legacy.root, lastIndex: null });
    return;
  }
  const { head, sealed } = restored;
  const own: StateChange[] = [];
  for await (const batch of batchesOf(stagedState(store))) {
    own.push(...batch.filter(({ key }) => legacyKeyOf(key) === undefined));
    yield stateOps(batch);
  }
  // Projections begin with the whole state as what their first block changed.
  yield [
    ...headBlockOps(sealed, own),
    ...standingOps({
      kind: 'chain',
      base: head.base,
      controls: head.controls,
      firstHeight: sealed.block.header.height,
      lastIndex: null,
    }),
  ];
  yield* deletions(store, RESTORED_RANGE);
}

function taken<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  throw new CodedError(result.refusal);
}

function stagedOps(changes: readonly StateChange[]): StoreOperation[] {
  return changes.map(({ key, value }) => {
    assert(value !== undefined, 'a snapshot holds values', { key });
    return { kind: 'put', key: restoredKey(key), value };
  });
}

async function* stagedState(store: Store): AsyncIterable<StateChange> {
  for await (const [key, value] of store.entries(RESTORED_RANGE)) yield { key: textFromUtf8(key.subarray(1)), value };
}

async function* batchesOf(changes: AsyncIterable<StateChange>): AsyncIterable<readonly StateChange[]> {
  let batch: StateChange[] = [];
  let bytes = 0;
  for await (const change of changes) {
    batch.push(change);
    bytes += change.value?.length ?? 0;
    if (batch.length < BATCH_OPERATIONS && bytes < BATCH_BYTES) continue;
    yield batch;
    batch = [];
    bytes = 0;
  }
  if (batch.length > 0) yield batch;
}

function* inBatches(operations: Operations): Generator<Operations> {
  for (let from = 0; from < operations.length; from += BATCH_OPERATIONS) {
    yield operations.slice(from, from + BATCH_OPERATIONS);
  }
}

/** All that is there now goes. */
async function* deletions(store: Store, range: KeyRange): AsyncIterable<Operations> {
  let batch: StoreOperation[] = [];
  for await (const [key] of store.entries(range)) {
    batch.push({ kind: 'delete', key: concatBytes(key) });
    if (batch.length < BATCH_OPERATIONS) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}
