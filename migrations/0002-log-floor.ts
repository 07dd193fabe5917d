/**
 * Layout 2: the log may begin above genesis, so where it begins is a record of its own, for both engines.
 *
 *     before   every log of HotStuff has all blocks from 0 on. One of Raft that began with a snapshot has them from
 *              `firstHeight` on, which is a field of `M raft-ledger`
 *     after    `M floor` is the height of the first block, and every log has one
 *
 * A program of layout 1 would take a log whose first blocks were dropped for damage, or serve what it has not; it refuses
 * this layout.
 */
import { concatBytes, utf8 } from '../src/base/bytes.ts';
import { bytes, codec, hash, nullable, struct, uint, union } from '../src/base/codec.ts';
import { sha256Hex, type Hash } from '../src/base/hash.ts';
import { ok, refuse, type Refused, type Result } from '../src/base/result.ts';
import type { StoreOperation } from '../src/store/store.ts';
import type { MigrationStep, StoreReader, WalkBatch, WalkSize } from './step.ts';

const HEAD = utf8('Mhead');
const FLOOR = utf8('Mfloor');
const RAFT_LEDGER = utf8('Mraft-ledger');
const BLOCK = utf8('B');
/** Height by block id. */
const INDEX = { gte: utf8('I'), lt: utf8('J') };
const MAX_RECORD_BYTES = 4096;

const checkedCodec = codec(struct<{ content: Uint8Array; check: Hash }>({ content: bytes(4096), check: hash }), 8192);
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

interface Chain {
  readonly kind: 'chain';
  readonly base: { readonly index: number; readonly term: number };
  readonly controls: Hash;
  readonly lastIndex: number | null;
}
/** A member before BASE, or in the middle of a snapshot: no block, no floor, and its record stays as it is. */
type Blockless =
  { readonly kind: 'map'; readonly root: Hash; readonly lastIndex: number | null } | { readonly kind: 'restoring' };
type Before = Blockless | (Chain & { readonly firstHeight: number });
type After = Blockless | Chain;

const base = struct<Chain['base']>({ index: uint(), term: uint() });
const map = struct<{ root: Hash; lastIndex: number | null }>({ root: hash, lastIndex: nullable(uint()) });
const beforeCodec = codec<Before>(
  union<Before>({
    map,
    chain: struct({ base, controls: hash, firstHeight: uint(), lastIndex: nullable(uint()) }),
    restoring: struct({}),
  }),
  256,
);
const afterCodec = codec<After>(
  union<After>({
    map,
    chain: struct({ base, controls: hash, lastIndex: nullable(uint()) }),
    restoring: struct({}),
  }),
  256,
);

export const step: MigrationStep = {
  id: '0002-log-floor',
  from: 1,
  to: 2,
  title: 'The log says at which height it begins, so that its first blocks may be dropped.',
  up: { admit: admitUp, run: up, check: checkUp },
  down: { admit: admitDown, run: down, check: checkDown },
};

/** A log of layout 1 promises every block from its first on: what is missing is damage, and not a higher floor. */
async function admitUp(store: StoreReader): Promise<Result<WalkSize>> {
  const floor = floorBefore(store);
  if (!floor.ok) return floor;
  const whole = await checkIndex(store, floor.value);
  return whole.ok ? ok({ records: 1, bytes: MAX_RECORD_BYTES }) : whole;
}

async function* up(store: StoreReader, cursor: Uint8Array | null): AsyncGenerator<WalkBatch, void> {
  if (cursor !== null) return;
  const operations: StoreOperation[] = [];
  const standing = raftLedger(store, beforeCodec);
  if (standing?.kind === 'chain') {
    const { base: position, controls, lastIndex } = standing;
    operations.push(put(RAFT_LEDGER, afterCodec.encode({ kind: 'chain', base: position, controls, lastIndex })));
    operations.push(put(FLOOR, floorCodec.encode({ height: standing.firstHeight })));
  } else if (standing === null) {
    operations.push(put(FLOOR, floorCodec.encode({ height: 0 })));
  }
  yield { operations, cursor: FLOOR, records: 1 };
}

async function checkUp(store: StoreReader): Promise<Result<void>> {
  const standing = raftLedger(store, afterCodec);
  if (standing !== null && standing.kind !== 'chain') return ok(undefined);
  const floor = floorAfter(store);
  if (floor === null || store.get(blockKey(floor)) === undefined)
    return failed('the first block of the log is missing');
  return ok(undefined);
}

/** Blocks that were dropped do not come back, and a program of layout 1 cannot do without. */
async function admitDown(store: StoreReader): Promise<Result<WalkSize>> {
  const floor = floorAfter(store);
  const isRaft = store.get(RAFT_LEDGER) !== undefined;
  if (!isRaft && floor !== 0) {
    return refuse(
      'migration-irreversible',
      'blocks of this log were dropped, and the older layout must have them all',
      {
        step: step.id,
        floor,
      },
    );
  }
  return ok({ records: 1, bytes: MAX_RECORD_BYTES });
}

async function* down(store: StoreReader, cursor: Uint8Array | null): AsyncGenerator<WalkBatch, void> {
  if (cursor !== null) return;
  const operations: StoreOperation[] = [{ kind: 'delete', key: FLOOR }];
  const standing = raftLedger(store, afterCodec);
  const firstHeight = floorAfter(store);
  if (standing?.kind === 'chain' && firstHeight !== null) {
    operations.push(put(RAFT_LEDGER, beforeCodec.encode({ ...standing, firstHeight })));
  }
  yield { operations, cursor: FLOOR, records: 1 };
}

async function checkDown(store: StoreReader): Promise<Result<void>> {
  const floor = floorBefore(store);
  if (!floor.ok || store.get(FLOOR) !== undefined) return failed('what layout 1 is made of is not there');
  return ok(undefined);
}

/** @returns the first height of a log of layout 1; null where there is no log yet */
function floorBefore(store: StoreReader): Result<number | null> {
  if (store.get(RAFT_LEDGER) === undefined) return ok(0);
  const standing = raftLedger(store, beforeCodec);
  if (standing === null) return corrupt('where the ledger stands does not decode');
  return ok(standing.kind === 'chain' ? standing.firstHeight : null);
}

/** As many heights as there are between floor and head, and none outside. */
async function checkIndex(store: StoreReader, floor: number | null): Promise<Result<void>> {
  if (floor === null) return ok(undefined);
  const written = store.get(HEAD);
  const head = written === undefined ? null : headCodec.decode(written);
  if (head?.ok !== true) return corrupt('the head does not decode');
  const { height } = head.value;
  let blocks = 0;
  for await (const [, value] of store.entries(INDEX)) {
    const at = value.length === 8 ? Number(new DataView(value.buffer, value.byteOffset, 8).getBigUint64(0)) : -1;
    if (at < floor || at > height) return corrupt('the index of the log names a height outside of it', { height: at });
    blocks++;
  }
  if (blocks !== height - floor + 1 || store.get(blockKey(floor)) === undefined) {
    return corrupt('blocks of the log are missing', { floor, head: height, blocks });
  }
  return ok(undefined);
}

function floorAfter(store: StoreReader): number | null {
  const written = store.get(FLOOR);
  const content = written === undefined ? null : contentOf(written);
  const decoded = content === null ? null : floorCodec.decode(content);
  return decoded?.ok === true ? decoded.value.height : null;
}

function raftLedger<T>(store: StoreReader, standing: { decode: (bytes: Uint8Array) => Result<T> }): T | null {
  const written = store.get(RAFT_LEDGER);
  const content = written === undefined ? null : contentOf(written);
  const decoded = content === null ? null : standing.decode(content);
  return decoded?.ok === true ? decoded.value : null;
}

/** Records of a Raft cluster had their check from the first one on. */
function contentOf(record: Uint8Array): Uint8Array | null {
  const checked = checkedCodec.decode(record);
  return checked.ok && sha256Hex(checked.value.content) === checked.value.check ? checked.value.content : null;
}

function put(key: Uint8Array, content: Uint8Array): StoreOperation {
  return { kind: 'put', key, value: checkedCodec.encode({ content, check: sha256Hex(content) }) };
}

function blockKey(height: number): Uint8Array {
  const number = new Uint8Array(8);
  new DataView(number.buffer).setBigUint64(0, BigInt(height));
  return concatBytes(BLOCK, number);
}

function corrupt(message: string, details: Readonly<Record<string, number>> = {}): Refused {
  return refuse('store-corrupt', message, details);
}

function failed(message: string): Refused {
  return refuse('migration-check-failed', message, { step: step.id });
}
