/**
 * Where the rows of projections are: under `P`, each generation of a projection has its own range, and a pointer says
 * which generation serves reads. A rebuild fills a new generation beside the old one and swaps the pointer.
 *
 *     P @ name                              version and generation that serve
 *     P # name generation                   cursor: the last height that is in these rows
 *     P : name generation row key           a row
 *     P ! , P % state key                   of a rebuild beside a running node (`build-state.ts`)
 */
import { concatBytes, storeKey, storeKeyOfBytes, utf8 } from '../base/bytes.ts';
import { codec, struct, uint, type Codec } from '../base/codec.ts';
import { RecentValues } from '../base/recent-values.ts';
import { codedError } from '../base/result.ts';
import { bigEndian, fromBigEndian, projectionKey, rangeOf } from '../ledger/layout.ts';
import type { KeyRange, Store, StoreOperation } from '../store/store.ts';
import type { ProjectionReader, RowOperation, RowReader } from './projection.ts';
import type { RowKey } from './row-key.ts';

export interface Pointer {
  readonly version: number;
  readonly generation: number;
}

const pointerCodec = codec(struct<Pointer>({ version: uint(), generation: uint() }), 64);

const NUL = Uint8Array.of(0);

export function readPointer(store: Pick<Store, 'get'>, name: string): Pointer | undefined {
  const pointer = store.get(pointerKey(name));
  return pointer === undefined ? undefined : decodeRow(pointerCodec, pointer);
}

/** What a projection wrote decodes: anything else is damage. @throws CodedError `store-corrupt` */
export function decodeRow<T>(rowCodec: Codec<T>, row: Uint8Array): T {
  const decoded = rowCodec.decode(row);
  if (decoded.ok) return decoded.value;
  throw codedError('store-corrupt', 'a row of a projection does not decode', { because: decoded.refusal.code });
}

export function pointerOps(name: string, pointer: Pointer): StoreOperation[] {
  return [{ kind: 'put', key: pointerKey(name), value: pointerCodec.encode(pointer) }];
}

function pointerKey(name: string): Uint8Array {
  return projectionKey(concatBytes(utf8('@'), utf8(name)));
}

/** Writes one batch, which a crash may take back; never a later one without it. */
export type RowWriter = (operations: readonly StoreOperation[]) => Promise<void>;

export function rowWriter(store: Pick<Store, 'batch'>): RowWriter {
  return (operations) => store.batch(operations, { sync: false });
}

const DELETES_PER_BATCH = 1000;

/** Deletes all keys of a range, in bounded batches. */
export async function removeRange(store: Pick<Store, 'entries'>, range: KeyRange, write: RowWriter): Promise<void> {
  let operations: StoreOperation[] = [];
  for await (const [key] of store.entries(range)) {
    operations.push({ kind: 'delete', key });
    if (operations.length < DELETES_PER_BATCH) continue;
    await write(operations);
    operations = [];
  }
  if (operations.length > 0) await write(operations);
}

/** Generations of a projection of which anything is in the store, lowest first. */
export async function generationsOf(store: Pick<Store, 'entries'>, name: string): Promise<readonly number[]> {
  const prefix = projectionKey(concatBytes(utf8('#'), utf8(name), NUL));
  const generations: number[] = [];
  for await (const [key] of store.entries(rangeOf(prefix)))
    generations.push(fromBigEndian(key.subarray(prefix.length)));
  return generations;
}

/** The rows of one generation of a projection. */
export class Rows implements ProjectionReader {
  readonly name: string;
  readonly generation: number;
  readonly #store: Pick<Store, 'entries' | 'get'>;
  readonly #prefix: Uint8Array;
  readonly #cursorKey: Uint8Array;

  constructor(store: Pick<Store, 'entries' | 'get'>, name: string, generation: number) {
    this.#store = store;
    this.name = name;
    this.generation = generation;
    const instance = concatBytes(utf8(name), NUL, bigEndian(generation));
    this.#prefix = projectionKey(concatBytes(utf8(':'), instance));
    this.#cursorKey = projectionKey(concatBytes(utf8('#'), instance));
  }

  /** The last height that is in the rows; -1 before the first. */
  cursor(): number {
    const cursor = this.#store.get(this.#cursorKey);
    if (cursor === undefined) return -1;
    if (cursor.length !== 8) throw codedError('store-corrupt', 'the cursor of a projection is no height');
    return fromBigEndian(cursor);
  }

  get(key: RowKey): Uint8Array | undefined {
    return this.#store.get(storeKeyOfBytes(this.#prefix, key));
  }

  async *entries(range: KeyRange): AsyncIterable<readonly [key: Uint8Array, value: Uint8Array]> {
    for await (const [key, value] of this.#store.entries(this.#within(range))) {
      yield [key.subarray(this.#prefix.length), value];
    }
  }

  /** The projection's operations on its rows, and its cursor. */
  writeOps(operations: Iterable<RowOperation>, cursor: number): StoreOperation[] {
    const own = this.partOps(operations);
    own.push({ kind: 'put', key: this.#cursorKey, value: bigEndian(cursor) });
    return own;
  }

  /** The projection's operations on its rows, which count for nothing until its cursor is written, too. */
  partOps(operations: Iterable<RowOperation>): StoreOperation[] {
    const own: StoreOperation[] = [];
    for (const operation of operations) {
      const key = storeKeyOfBytes(this.#prefix, operation.key);
      own.push(operation.kind === 'put' ? { kind: 'put', key, value: operation.value } : { kind: 'delete', key });
    }
    return own;
  }

  /** Deletes the whole generation, in bounded batches. The cursor goes last: by it what is left over is found again. */
  async remove(write: RowWriter): Promise<void> {
    await removeRange(this.#store, rangeOf(this.#prefix), write);
    await write([{ kind: 'delete', key: this.#cursorKey }]);
  }

  #keyOf(key: Uint8Array): Uint8Array {
    return storeKey(this.#prefix, key);
  }

  #within({ gt, gte, lt, lte, ...rest }: KeyRange): KeyRange {
    const all = rangeOf(this.#prefix);
    const lower = gt !== undefined ? { gt: this.#keyOf(gt) } : { gte: this.#keyOf(gte ?? new Uint8Array(0)) };
    const upper =
      lte !== undefined ? { lte: this.#keyOf(lte) } : { lt: lt === undefined ? endOf(all) : this.#keyOf(lt) };
    return { ...rest, ...lower, ...upper };
  }
}

function endOf(range: KeyRange): Uint8Array {
  return range.lt as Uint8Array;
}

/**
 * Rows with the operations of blocks that are not written yet: several blocks share a batch, and while one is written the
 * next is gathered. Rows that were read stay at hand, as what is written over them: a node's events come again and again, and
 * to read a row from the store costs 10 to 40 us each time.
 */
export class PendingRows implements RowReader {
  readonly #rows: RowReader;
  #pending = new Map<RowKey, RowOperation>();
  /** What was taken last: perhaps not in the store yet. */
  #taken: ReadonlyMap<RowKey, RowOperation> = new Map();
  /** Null: there is none. */
  readonly #read: RecentValues;

  /** @param maxReadRows that stay at hand, of about 300 bytes each */
  constructor(rows: RowReader, maxReadRows = DEFAULT_READ_ROWS) {
    this.#rows = rows;
    this.#read = new RecentValues(maxReadRows);
  }

  get(key: RowKey): Uint8Array | undefined {
    const known = this.#read.get(key);
    if (known !== undefined) return known ?? undefined;
    const pending = this.#pending.get(key) ?? this.#taken.get(key);
    const row = pending === undefined ? this.#rows.get(key) : rowAfter(pending);
    this.#read.set(key, row ?? null);
    return row;
  }

  add(operations: readonly RowOperation[]): void {
    for (const operation of operations) {
      this.#pending.set(operation.key, operation);
      this.#read.replace(operation.key, rowAfter(operation) ?? null);
    }
  }

  /** One operation a key, the last one. What was taken before is in the store now. */
  take(): Iterable<RowOperation> {
    this.#taken = this.#pending;
    this.#pending = new Map();
    return this.#taken.values();
  }
}

function rowAfter(operation: RowOperation): Uint8Array | undefined {
  return operation.kind === 'put' ? operation.value : undefined;
}

const DEFAULT_READ_ROWS = 8192;
/** Of a rebuild, whose whole work it is to read rows and write them: the rows of as many nodes as most networks have. */
export const REBUILD_READ_ROWS = 65_536;
