/** Writing a snapshot of the ledger: what is applied at one moment, while more is applied and written. */
import { concatBytes, equalBytes, textFromUtf8 } from '../../base/bytes.ts';
import type { Hash } from '../../base/hash.ts';
import { encodeSealedBlock, type SealedBlock } from '../../ledger/block.ts';
import { rangeOf, stateKey, STATE_RANGE } from '../../ledger/layout.ts';
import { inGoOrder, legacyKeyOf, legacyMember, type LegacyState } from '../../ledger/legacy-state.ts';
import type { LogPosition } from '../../ledger/log-hash.ts';
import { ChunkWriter, ledgerChunkCodec } from '../../ledger/raft-snapshot.ts';
import { LEGACY_KEY_PREFIX } from '../../ledger/state.ts';
import type { KeyRange, Store } from '../../store/store.ts';
import { chunkText, LEDGER_CLOSING, LEDGER_OPENING, MAP_CLOSING, MAP_OPENING } from './snapshot-text.ts';

type Bounds = Required<Pick<KeyRange, 'gte' | 'lt'>>;

/** What is handed on at once, about. */
const PIECE_BYTES = 64 * 1024;

/** Before BASE. What is in memory at the call is what is written. */
export function mapSnapshot({ values }: LegacyState): AsyncIterable<Uint8Array> {
  const entries = inGoOrder(values);
  return inPieces(
    (function* () {
      yield MAP_OPENING;
      for (const [place, [key, value]] of entries.entries()) yield legacyMember(key, value, place === 0);
      yield MAP_CLOSING;
    })(),
  );
}

export interface LedgerView {
  readonly store: Store;
  readonly chainId: string;
  readonly base: LogPosition;
  readonly sealed: SealedBlock;
  readonly controls: Hash;
  /** Values that are not in the store yet, of the whole state; undefined: the key is gone. */
  readonly unsettled: ReadonlyMap<string, Uint8Array | undefined>;
}

/** From BASE on. The view of the store is that of the call, whatever is written later; it is held until all was read. */
export function ledgerSnapshot(view: LedgerView): AsyncIterable<Uint8Array> {
  // The ledger's own keys below those of the older system, those, and the ledger's own above.
  const { gte, lt } = rangeOf(stateKey(LEGACY_KEY_PREFIX));
  const below = new StateView(view, { gte: STATE_RANGE.gte, lt: gte });
  const legacy = new StateView(view, { gte, lt });
  const above = new StateView(view, { gte: lt, lt: STATE_RANGE.lt });
  return inPieces(ledgerText(view, [below, above], legacy));
}

async function* ledgerText(
  { base, chainId, controls, sealed }: LedgerView,
  own: readonly StateView[],
  legacy: StateView,
): AsyncGenerator<Uint8Array> {
  try {
    yield LEDGER_OPENING;
    const head = { kind: 'head', chainId, base, controls, sealed: encodeSealedBlock(sealed) } as const;
    yield chunkText(ledgerChunkCodec.encode(head), true);
    const chunks = new ChunkWriter();
    for (const part of own) {
      for await (const [key, value] of part.entries()) {
        const chunk = chunks.add(key, value);
        if (chunk !== undefined) yield chunkText(chunk, false);
      }
    }
    const last = chunks.end();
    if (last !== undefined) yield chunkText(last, false);
    yield LEDGER_CLOSING;
    for await (const [key, value] of legacy.entries()) yield legacyMember(legacyKeyOf(key) ?? '', value, false);
    yield MAP_CLOSING;
  } finally {
    for (const part of [...own, legacy]) await part.close();
  }
}

/**
 * A part of the committed state: what the store holds at this moment, under what it does not hold yet. The iterator over
 * the store is begun at once. It may see a batch that is being written or not: all of that is in `unsettled`.
 */
class StateView {
  readonly #stored: AsyncIterator<readonly [key: Uint8Array, value: Uint8Array]>;
  readonly #first: Promise<IteratorResult<readonly [key: Uint8Array, value: Uint8Array]>>;
  readonly #unsettled: readonly (readonly [key: Uint8Array, value: Uint8Array | undefined])[];

  constructor({ store, unsettled }: Pick<LedgerView, 'store' | 'unsettled'>, range: Bounds) {
    this.#stored = store.entries(range)[Symbol.asyncIterator]();
    this.#first = this.#stored.next();
    // Where it fails, whoever reads is told.
    this.#first.catch(() => undefined);
    this.#unsettled = Array.from(unsettled, ([key, value]) => [stateKey(key), value] as const)
      .filter(([key]) => isIn(range, key))
      .sort(([a], [b]) => compare(a, b));
  }

  async *entries(): AsyncIterable<readonly [key: string, value: Uint8Array]> {
    let place = 0;
    let stored = await this.#first;
    for (;;) {
      const own = this.#unsettled[place];
      const entry = stored.done === true ? undefined : stored.value;
      if (own === undefined && entry === undefined) return;
      const isOwn = own !== undefined && (entry === undefined || compare(own[0], entry[0]) <= 0);
      const [key, value] = isOwn ? own : (entry as readonly [Uint8Array, Uint8Array]);
      if (value !== undefined) yield [textFromUtf8(key.subarray(1)), value];
      if (!isOwn || (entry !== undefined && equalBytes(entry[0], key))) stored = await this.#stored.next();
      if (isOwn) place++;
    }
  }

  async close(): Promise<void> {
    await this.#stored.return?.();
  }
}

function compare(a: Uint8Array, b: Uint8Array): number {
  return Buffer.compare(a, b);
}

function isIn({ gte, lt }: Bounds, key: Uint8Array): boolean {
  return compare(key, gte) >= 0 && compare(key, lt) < 0;
}

async function* inPieces(parts: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  let gathered: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of parts) {
    gathered.push(part);
    bytes += part.length;
    if (bytes < PIECE_BYTES) continue;
    yield concatBytes(...gathered);
    gathered = [];
    bytes = 0;
  }
  if (bytes > 0) yield concatBytes(...gathered);
}
