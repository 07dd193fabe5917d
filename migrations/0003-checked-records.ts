/**
 * Layout 3: what nothing else vouches for is kept with a check, without exception.
 *
 *     M head, M identity    before: as they are                 after: with a check
 *     M safety, C height    before: with a check or without     after: with a check
 *     D record key          before: height                      after: with a check
 *     I block id            before: height                      after: height, and a check of id, height and seal
 *
 * Up to layout 2 a reader took a record without a check for one from before there were checks, so that damage could pass
 * for age. And nothing covered the seal of a block: its id is that of the header. A seal of HotStuff at least has
 * signatures; one of Raft is the only place where its block's control records and older commands are.
 */
import { concatBytes, utf8 } from '../src/base/bytes.ts';
import { bytes, codec, hash, list, struct, uint } from '../src/base/codec.ts';
import { hashToBytes, sha256, sha256Hex, taggedHash, type Hash } from '../src/base/hash.ts';
import { ok, refuse, type Result } from '../src/base/result.ts';
import type { StoreOperation } from '../src/store/store.ts';
import {
  MAX_BATCH_BYTES,
  MAX_BATCH_RECORDS,
  type MigrationStep,
  type StoreReader,
  type WalkBatch,
  type WalkSize,
} from './step.ts';

const HEAD = utf8('Mhead');
const IDENTITY = utf8('Midentity');
const SAFETY = utf8('Msafety');
const FLOOR = utf8('Mfloor');
const ID_BYTES = 32;
const HEIGHT_BYTES = 8;
const INDEX_BYTES = HEIGHT_BYTES + 32;
const MAX = Number.MAX_SAFE_INTEGER;
const MAX_EVENTS = 2000;
const BLOCK_DOMAIN = utf8('hotledger/block/1\n');

const checkedCodec = codec(struct<{ content: Uint8Array; check: Hash }>({ content: bytes(MAX), check: hash }), MAX);
const headCodec = codec(
  struct<{ height: number; blockId: Hash; stateRoot: Hash; timestamp: number }>({
    height: uint(),
    blockId: hash,
    stateRoot: hash,
    timestamp: uint(),
  }),
  256,
);
const floorCodec = codec(struct<{ height: number }>({ height: uint() }), 16);

interface Seal {
  readonly kind: number;
  readonly bytes: Uint8Array;
}
const sealShape = struct<Seal>({ kind: uint(255), bytes: bytes(MAX) });
const sealCodec = codec(sealShape, MAX);
const sealedCodec = codec(struct<{ block: Uint8Array; seal: Seal }>({ block: bytes(MAX), seal: sealShape }), MAX);
const blockCodec = codec(
  struct<{ header: Uint8Array; events: readonly Uint8Array[] }>({
    header: bytes(MAX),
    events: list(bytes(MAX), MAX_EVENTS),
  }),
  MAX,
);

type Change = (store: StoreReader, key: Uint8Array, value: Uint8Array) => readonly StoreOperation[];

/** Of the kinds of records, by the first letter of their keys, in the order of the keys. */
type Changes = readonly (readonly [letter: string, change: Change])[];

/** A block is read for its index: what is in the log decides, and not what is in the index. */
const UP: Changes = [
  ['B', indexWithCheck],
  ['C', withCheckIfNone],
  ['D', withCheck],
];
const DOWN: Changes = [
  ['D', withoutCheck],
  ['I', indexWithoutCheck],
];

export const step: MigrationStep = {
  id: '0003-checked-records',
  from: 2,
  to: 3,
  title: 'Every record that nothing else vouches for has a check, and so has the seal of each block.',
  up: {
    admit: (store) => sizeOf(store, headOf(store.get(HEAD)), 'B'),
    run: (store, cursor) => walk(store, cursor, UP, metaUp(store)),
    check: checkUp,
  },
  // Checks that layout 2 did not ask for and takes all the same, of safety record and changes, stay.
  down: {
    admit: (store) => sizeOf(store, headOf(contentOf(store.get(HEAD))), 'I'),
    run: (store, cursor) => walk(store, cursor, DOWN, metaDown(store)),
    check: checkDown,
  },
};

/** The blocks are counted by their heights; what else there is, by looking, as it is little. */
async function sizeOf(store: StoreReader, head: number | null, blocks: 'B' | 'I'): Promise<Result<WalkSize>> {
  const isLogless = store.get(HEAD) === undefined && store.get(FLOOR) === undefined;
  if (head === null && !isLogless) return refuse('store-corrupt', 'the head does not decode');
  const floorContent = contentOf(store.get(FLOOR));
  const floor = floorContent === null ? null : floorCodec.decode(floorContent);
  let records = head === null ? 0 : head - (floor?.ok === true ? floor.value.height : 0) + 1;
  let size = records * (ID_BYTES + INDEX_BYTES + 1);
  for (const letter of blocks === 'B' ? ['C', 'D'] : ['D']) {
    for await (const [key, value] of store.entries(rangeOf(letter))) {
      records++;
      size += key.length + value.length + 64;
    }
  }
  return ok({ records: records + 1, bytes: size + 64 * 1024 });
}

/** Kind after kind, in batches; what is under M comes last. The cursor is the last key that was looked at. */
async function* walk(
  store: StoreReader,
  cursor: Uint8Array | null,
  changes: Changes,
  meta: readonly StoreOperation[],
): AsyncGenerator<WalkBatch, void> {
  if (cursor !== null && cursor[0] === HEAD[0]) return;
  for (const [letter, change] of changes) yield* walkKind(store, cursor, letter, change);
  yield { operations: meta, cursor: HEAD, records: 1 };
}

async function* walkKind(
  store: StoreReader,
  cursor: Uint8Array | null,
  letter: string,
  change: Change,
): AsyncGenerator<WalkBatch, void> {
  const range = rangeOf(letter);
  const first = range.gte[0] as number;
  if (cursor !== null && (cursor[0] as number) > first) return;
  const from = cursor !== null && cursor[0] === first ? { gt: cursor, lt: range.lt } : range;
  let operations: StoreOperation[] = [];
  let last: Uint8Array | null = null;
  let records = 0;
  let size = 0;
  for await (const [key, value] of store.entries(from)) {
    const made = change(store, key, value);
    operations.push(...made);
    for (const operation of made) size += operation.kind === 'put' ? operation.value.length : 0;
    last = key.slice();
    if (++records < MAX_BATCH_RECORDS && size < MAX_BATCH_BYTES) continue;
    yield { operations, cursor: last, records };
    [operations, last, records, size] = [[], null, 0, 0];
  }
  if (last !== null) yield { operations, cursor: last, records };
}

function metaUp(store: StoreReader): StoreOperation[] {
  const plain = [HEAD, IDENTITY].flatMap((key) => {
    const value = store.get(key);
    return value === undefined ? [] : [put(key, checked(value))];
  });
  const safety = store.get(SAFETY);
  return safety === undefined ? plain : [...plain, ...withCheckIfNone(store, SAFETY, safety)];
}

function metaDown(store: StoreReader): StoreOperation[] {
  return [HEAD, IDENTITY].flatMap((key) => {
    const content = contentOf(store.get(key));
    return content === null ? [] : [put(key, content)];
  });
}

/** What is damaged stays so, and is told when it is read: an index that was another one is not made right by this. */
function indexWithCheck(store: StoreReader, key: Uint8Array, value: Uint8Array): readonly StoreOperation[] {
  const sealed = sealedCodec.decode(value);
  const block = sealed.ok ? blockCodec.decode(sealed.value.block) : sealed;
  if (!sealed.ok || !block.ok) return [];
  const id = hashToBytes(taggedHash(BLOCK_DOMAIN, block.value.header));
  const height = key.slice(1);
  const indexKey = concatBytes(utf8('I'), id);
  const index = store.get(indexKey);
  if (index === undefined || Buffer.compare(index, height) !== 0) return [];
  const seal = sealCodec.encode(sealed.value.seal);
  return [put(indexKey, concatBytes(height, sha256(concatBytes(id, height, seal))))];
}

function indexWithoutCheck(_store: StoreReader, key: Uint8Array, value: Uint8Array): readonly StoreOperation[] {
  return value.length === INDEX_BYTES ? [put(key.slice(), value.slice(0, HEIGHT_BYTES))] : [];
}

function withCheck(_store: StoreReader, key: Uint8Array, value: Uint8Array): readonly StoreOperation[] {
  return [put(key.slice(), checked(value))];
}

/** One that has a check, be it a wrong one, keeps it. */
function withCheckIfNone(store: StoreReader, key: Uint8Array, value: Uint8Array): readonly StoreOperation[] {
  return checkedCodec.decode(value).ok ? [] : withCheck(store, key, value);
}

function withoutCheck(_store: StoreReader, key: Uint8Array, value: Uint8Array): readonly StoreOperation[] {
  const content = contentOf(value);
  return content === null ? [{ kind: 'delete', key: key.slice() }] : [put(key.slice(), content.slice())];
}

async function checkUp(store: StoreReader): Promise<Result<void>> {
  for (const key of [HEAD, IDENTITY]) {
    const value = store.get(key);
    if (value !== undefined && contentOf(value) === null) return failed('head or identity has no check');
  }
  const safety = store.get(SAFETY);
  if (safety !== undefined && !checkedCodec.decode(safety).ok) return failed('the safety record has no check');
  for await (const [, value] of store.entries(rangeOf('C'))) {
    if (!checkedCodec.decode(value).ok) return failed('what a block changed has no check');
  }
  return checkIndex(store, INDEX_BYTES, headOf(contentOf(store.get(HEAD))));
}

async function checkDown(store: StoreReader): Promise<Result<void>> {
  const written = store.get(HEAD);
  const head = headOf(written);
  if (written !== undefined && head === null) return failed('the head does not decode');
  return checkIndex(store, HEIGHT_BYTES, head);
}

/** Each entry has its new form, but those that were damaged before. */
async function checkIndex(store: StoreReader, length: number, head: number | null): Promise<Result<void>> {
  for await (const [key, value] of store.entries(rangeOf('I'))) {
    if (value.length === length) continue;
    const sealed = value.length < HEIGHT_BYTES ? undefined : store.get(concatBytes(utf8('B'), value.slice(0, 8)));
    if (sealed !== undefined && Buffer.compare(key.subarray(1), idOf(sealed)) === 0) {
      return failed('an entry of the index was left out');
    }
  }
  if (head !== null && store.get(concatBytes(utf8('B'), bigEndian(head))) === undefined) {
    return failed('the block of the head is missing');
  }
  return ok(undefined);
}

function idOf(sealedBytes: Uint8Array): Uint8Array {
  const sealed = sealedCodec.decode(sealedBytes);
  const block = sealed.ok ? blockCodec.decode(sealed.value.block) : sealed;
  return block.ok ? hashToBytes(taggedHash(BLOCK_DOMAIN, block.value.header)) : new Uint8Array(0);
}

function headOf(content: Uint8Array | null | undefined): number | null {
  const head = content === null || content === undefined ? null : headCodec.decode(content);
  return head?.ok === true ? head.value.height : null;
}

function checked(content: Uint8Array): Uint8Array {
  return checkedCodec.encode({ content, check: sha256Hex(content) });
}

function contentOf(record: Uint8Array | undefined): Uint8Array | null {
  const decoded = record === undefined ? null : checkedCodec.decode(record);
  return decoded?.ok === true && sha256Hex(decoded.value.content) === decoded.value.check
    ? decoded.value.content
    : null;
}

function put(key: Uint8Array, value: Uint8Array): StoreOperation {
  return { kind: 'put', key, value };
}

function rangeOf(letter: string): { readonly gte: Uint8Array; readonly lt: Uint8Array } {
  const gte = utf8(letter);
  return { gte, lt: Uint8Array.of((gte[0] as number) + 1) };
}

function bigEndian(height: number): Uint8Array {
  const number = new Uint8Array(HEIGHT_BYTES);
  new DataView(number.buffer).setBigUint64(0, BigInt(height));
  return number;
}

function failed(message: string): Result<void> {
  return refuse('migration-check-failed', message, { step: step.id });
}
