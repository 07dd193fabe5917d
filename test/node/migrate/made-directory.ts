/**
 * A store of layout 2 with as many blocks as are wanted: what the migrations look at is as it was, what they do not look
 * at (headers, events) is rubbish of about the usual size.
 */
import { concatBytes, utf8 } from '../../../src/base/bytes.ts';
import { bytes, codec, hash, list, struct, uint } from '../../../src/base/codec.ts';
import { hashToBytes, taggedHash, ZERO_HASH, type Hash } from '../../../src/base/hash.ts';
import { withCheck } from '../../../src/ledger/checked-record.ts';
import { layoutOp, LAYOUT_STEPS, stepsOp } from '../../../src/ledger/layout-history.ts';
import type { Store, StoreOperation } from '../../../src/store/store.ts';

const MAX = Number.MAX_SAFE_INTEGER;
const BATCH = 2000;
const seal = struct<{ kind: number; bytes: Uint8Array }>({ kind: uint(), bytes: bytes(MAX) });
const sealedCodec = codec(
  struct<{ block: Uint8Array; seal: { kind: number; bytes: Uint8Array } }>({ block: bytes(MAX), seal }),
  MAX,
);
const blockCodec = codec(
  struct<{ header: Uint8Array; events: readonly Uint8Array[] }>({ header: bytes(MAX), events: list(bytes(MAX), MAX) }),
  MAX,
);
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
const PADDING = new Uint8Array(200).fill(7);

/** Every tenth block has changes that are waiting, every other of these without a check, and every third a DHT record. */
export async function makeLayoutTwo(store: Store, blocks: number): Promise<void> {
  let operations: StoreOperation[] = [
    layoutOp(2),
    stepsOp(LAYOUT_STEPS.slice(0, 1)),
    put(utf8('Midentity'), utf8('whose data it is')),
    put(utf8('Msafety'), utf8('what was signed')),
    put(utf8('Mfloor'), withCheck(floorCodec.encode({ height: 0 }))),
  ];
  for (let height = 0; height < blocks; height++) {
    const header = concatBytes(utf8(`header of ${height}`), PADDING);
    const id = taggedHash(utf8('hotledger/block/1\n'), header);
    const block = blockCodec.encode({ header, events: [utf8(`event of ${height}`)] });
    const at = number(height);
    const bytesOfSeal = utf8(`seal of ${height}`);
    operations.push(
      put(concatBytes(utf8('B'), at), sealedCodec.encode({ block, seal: { kind: 1, bytes: bytesOfSeal } })),
      put(concatBytes(utf8('I'), hashToBytes(id)), at),
    );
    const changes = utf8(`changes of ${height}`);
    if (height % 10 === 0) operations.push(put(concatBytes(utf8('C'), at), height % 20 ? changes : withCheck(changes)));
    if (height % 3 === 0) operations.push(put(utf8(`D/db/${height}`), at));
    if (height === blocks - 1) {
      const head = headCodec.encode({ height, blockId: id, stateRoot: ZERO_HASH, timestamp: 1 });
      operations.push(put(utf8('Mhead'), head));
    }
    if (operations.length < BATCH) continue;
    await store.batch(operations, { sync: false });
    operations = [];
  }
  await store.batch(operations, { sync: true });
}

function put(key: Uint8Array, value: Uint8Array): StoreOperation {
  return { kind: 'put', key, value };
}

function number(height: number): Uint8Array {
  const eight = new Uint8Array(8);
  new DataView(eight.buffer).setBigUint64(0, BigInt(height));
  return eight;
}
