/**
 * What an empty store holds while a snapshot is put into it: of which snapshot, and which chunks are there. The store has
 * no layout version and no identity until the last batch, so that no program takes it for a ledger.
 */
import { codec, hash, struct, uint } from '../../base/codec.ts';
import type { Hash } from '../../base/hash.ts';
import { codedError } from '../../base/result.ts';
import { contentOf, withCheck } from '../../ledger/checked-record.ts';
import { fromBigEndian, RESTORED_CHUNK_RANGE, RESTORING_KEY } from '../../ledger/layout.ts';
import type { Store, StoreOperation } from '../../store/store.ts';

/** Of whichever server's making: the seals of two may differ, the chunks do not. */
export interface RestoringRecord {
  readonly height: number;
  readonly blockId: Hash;
  readonly depth: number;
}

const recordCodec = codec(struct<RestoringRecord>({ height: uint(), blockId: hash, depth: uint() }), 128);

export function restoringOps(record: RestoringRecord): StoreOperation[] {
  return [{ kind: 'put', key: RESTORING_KEY, value: withCheck(recordCodec.encode(record)) }];
}

/** Undefined where no restoration is under way. @throws CodedError `store-corrupt` */
export function readRestoring(store: Pick<Store, 'get'>): RestoringRecord | undefined {
  const written = store.get(RESTORING_KEY);
  if (written === undefined) return undefined;
  const content = contentOf(written);
  const record = content === null ? null : recordCodec.decode(content);
  if (record?.ok === true) return record.value;
  throw codedError('store-corrupt', 'the record of the restoration has changed since it was written');
}

export async function restoredChunks(store: Pick<Store, 'entries'>): Promise<ReadonlySet<number>> {
  const chunks = new Set<number>();
  for await (const [key] of store.entries(RESTORED_CHUNK_RANGE)) {
    chunks.add(fromBigEndian(key.subarray(RESTORED_CHUNK_RANGE.gte.length)));
  }
  return chunks;
}
