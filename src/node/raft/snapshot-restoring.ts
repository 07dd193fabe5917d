/**
 * Taking a snapshot of the ledger in place of all that was there. First all of it is read and judged, and nothing is
 * written: a snapshot that does not hold changes nothing. Then it is read again, and takes the other's place in parts. A
 * process that ends before that is over finds so when it starts, and begins again with the first byte.
 */
import { slicesOf } from '../../base/slices.ts';
import { CodedError, type Result } from '../../base/result.ts';
import { floorOps, headBlockOps, stateOps } from '../../ledger/block-log.ts';
import { LEDGER_RANGES } from '../../ledger/layout.ts';
import { legacyChange, legacyKeyOf, LegacyState } from '../../ledger/legacy-state.ts';
import { LedgerRestoration, stateInChunk, type RestoredLedger } from '../../ledger/raft-snapshot.ts';
import type { StateChange } from '../../ledger/state.ts';
import type { Store, StoreOperation } from '../../store/store.ts';
import { legacyValueOps, standingOps } from './ledger-store.ts';
import { SnapshotText, type SnapshotPart } from './snapshot-text.ts';

type Operations = readonly StoreOperation[];

export type Restored =
  { readonly kind: 'map'; readonly legacy: LegacyState } | ({ readonly kind: 'chain' } & RestoredLedger);

/** Of one batch. */
const BATCH_OPERATIONS = 1000;
const BATCH_BYTES = 1024 * 1024;

/** @throws CodedError `snapshot-malformed`, and the refusals of `LedgerRestoration` */
export async function judgeSnapshot(snapshot: AsyncIterable<Uint8Array>, chainId: string): Promise<Restored> {
  const text = new SnapshotText();
  const legacy = new LegacyState();
  const restoration = new LedgerRestoration(chainId);
  for await (const parts of partsOf(snapshot, text)) {
    const values = parts.filter((part) => part.kind === 'value');
    for (const part of parts) if (part.kind === 'chunk') taken(restoration.takeChunk(part.chunk));
    if (text.isLedger) taken(restoration.takeValues(values));
    else legacy.apply(values.map(({ key, value }) => ({ operation: 'set', key, value })));
  }
  return text.isLedger ? { kind: 'chain', ...taken(restoration.end()) } : { kind: 'map', legacy };
}

/** Each batch is to be written before the next is asked for. @param snapshot the one that was judged, once more */
export async function* replaceLedger(
  restored: Restored,
  snapshot: AsyncIterable<Uint8Array>,
  store: Store,
): AsyncGenerator<Operations, void> {
  yield standingOps({ kind: 'restoring' });
  for (const range of LEDGER_RANGES) {
    for await (const keys of batchesOf(keysOf(store.entries(range)), sizeOf)) {
      yield keys.map((key) => ({ kind: 'delete', key }));
    }
  }
  if (restored.kind === 'map') {
    yield* slicesOf(legacyValueOps(restored.legacy.values), BATCH_OPERATIONS);
    yield standingOps({ kind: 'map', root: restored.legacy.root, lastIndex: null });
    return;
  }
  const { head, sealed } = restored;
  const own: StateChange[] = [];
  for await (const batch of batchesOf(stateInSnapshot(snapshot), ({ value }) => value?.length ?? 0)) {
    for (const change of batch) if (legacyKeyOf(change.key) === undefined) own.push(change);
    yield stateOps(batch);
  }
  const { base, controls } = head;
  // Projections begin with the whole state, as what their first block changed.
  yield [
    ...floorOps(sealed.block.header.height),
    ...headBlockOps(sealed, own),
    ...standingOps({ kind: 'chain', base, controls, lastIndex: null }),
  ];
}

async function* partsOf(
  snapshot: AsyncIterable<Uint8Array>,
  text: SnapshotText,
): AsyncIterable<readonly SnapshotPart[]> {
  for await (const bytes of snapshot) yield text.push(bytes);
  yield text.end();
}

/** All of the state in a snapshot that was judged. */
export async function* stateInSnapshot(snapshot: AsyncIterable<Uint8Array>): AsyncIterable<StateChange> {
  for await (const parts of partsOf(snapshot, new SnapshotText())) {
    for (const part of parts) {
      if (part.kind === 'value') yield legacyChange({ operation: 'set', key: part.key, value: part.value });
      else yield* stateInChunk(part.chunk);
    }
  }
}

async function* keysOf(
  entries: AsyncIterable<readonly [key: Uint8Array, value: Uint8Array]>,
): AsyncIterable<Uint8Array> {
  // A key is a view of all that was read with it.
  for await (const [key] of entries) yield key.slice();
}

function sizeOf({ length }: Uint8Array): number {
  return length;
}

async function* batchesOf<T>(items: AsyncIterable<T>, bytesOf: (item: T) => number): AsyncIterable<readonly T[]> {
  let batch: T[] = [];
  let bytes = 0;
  for await (const item of items) {
    batch.push(item);
    bytes += bytesOf(item);
    if (batch.length < BATCH_OPERATIONS && bytes < BATCH_BYTES) continue;
    yield batch;
    batch = [];
    bytes = 0;
  }
  if (batch.length > 0) yield batch;
}

function taken<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  throw new CodedError(result.refusal);
}
