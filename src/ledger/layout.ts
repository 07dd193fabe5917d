/**
 * Where everything is in the one store. A key is one tag byte and what the table names; LevelDB orders keys as bytes,
 * so heights are big-endian.
 *
 *     M name               layout version and migrations, identity, head, floor, safety record; of a Raft cluster also
 *                          where its ledger stands
 *     B height             sealed block
 *     I block id           height of a committed block, and a check of id, height and seal
 *     U block id           uncommitted block, as its engine encodes it
 *     S state key          value of the committed state
 *     C height             what a committed block changed, until every projection has seen it
 *     P projection ...     rows of projections
 *     E epoch, offender    evidence
 *     D record key         greatest height seen of a DHT record
 *     L index              entry of a Raft log
 *     R name               of Raft: term and vote, bounds of the log, snapshot, applied index, history
 *     G key                value of the older system's state machine; from BASE on as it was at BASE
 *
 * A change of this table, or of an encoding under it, is a new layout version and a step of `migrations/`.
 */
import { concatBytes, storeKey, utf8 } from '../base/bytes.ts';
import { hashToBytes, type Hash } from '../base/hash.ts';
import type { KeyRange } from '../store/store.ts';

/**
 * 1: as hotledger 0.1.0 began. 2: the log may begin above genesis, at the height of its floor. 3: every record that
 * nothing else vouches for has a check, and so has the seal of each block.
 */
export const LAYOUT_VERSION = 3;

const TAG = {
  meta: tag('M'),
  block: tag('B'),
  height: tag('I'),
  uncommitted: tag('U'),
  state: tag('S'),
  changes: tag('C'),
  projection: tag('P'),
  evidence: tag('E'),
  dht: tag('D'),
  raftEntry: tag('L'),
  raft: tag('R'),
  legacy: tag('G'),
} as const;

/** Decimal text, readable by every version of the program. */
export const LAYOUT_KEY = concatBytes(TAG.meta, utf8('layout'));
/** Steps of `migrations/` that are in this directory, and the one that is under way (`layout-history.ts`). */
export const MIGRATIONS_KEY = concatBytes(TAG.meta, utf8('migrations'));
export const MIGRATION_KEY = concatBytes(TAG.meta, utf8('migration'));
export const IDENTITY_KEY = concatBytes(TAG.meta, utf8('identity'));
export const HEAD_KEY = concatBytes(TAG.meta, utf8('head'));
/** The height of the first block that is in the log. */
export const FLOOR_KEY = concatBytes(TAG.meta, utf8('floor'));
export const SAFETY_KEY = concatBytes(TAG.meta, utf8('safety'));
/** A snapshot is being put into an empty store: until it is whole, this is no ledger yet (`node/snapshot/`). */
export const RESTORING_KEY = concatBytes(TAG.meta, utf8('restoring'));
/** Of a restoration under way, one a chunk whose entries are all in the store. */
const RESTORED_CHUNKS = concatBytes(TAG.meta, utf8('restored\0'));
export const RAFT_LEDGER_KEY = concatBytes(TAG.meta, utf8('raft-ledger'));

export const RAFT_HARD_STATE_KEY = concatBytes(TAG.raft, utf8('hard-state'));
export const RAFT_LOG_KEY = concatBytes(TAG.raft, utf8('log'));
export const RAFT_SNAPSHOT_KEY = concatBytes(TAG.raft, utf8('snapshot'));
/** A snapshot that is taking the place of the state: until it is whole, the state is neither the old one nor the new. */
export const RAFT_RESTORING_KEY = concatBytes(TAG.raft, utf8('restoring'));
export const RAFT_APPLIED_KEY = concatBytes(TAG.raft, utf8('applied'));
export const RAFT_HISTORY_KEY = concatBytes(TAG.raft, utf8('history'));

export const RAFT_ENTRY_RANGE = rangeOf(TAG.raftEntry);
export const BLOCK_RANGE = rangeOf(TAG.block);
export const STATE_RANGE = rangeOf(TAG.state);
export const LEGACY_RANGE = rangeOf(TAG.legacy);
/** All that a ledger is made of, besides what is under `M`. */
export const LEDGER_RANGES = [
  TAG.block,
  TAG.height,
  TAG.uncommitted,
  TAG.state,
  TAG.changes,
  TAG.projection,
  TAG.legacy,
].map(rangeOf);
export const HEIGHT_RANGE = rangeOf(TAG.height);
export const RESTORED_CHUNK_RANGE = rangeOf(RESTORED_CHUNKS);
export const UNCOMMITTED_RANGE = rangeOf(TAG.uncommitted);
export const CHANGES_RANGE = rangeOf(TAG.changes);
export const EVIDENCE_RANGE = rangeOf(TAG.evidence);

export function blockKey(height: number): Uint8Array {
  return storeKey(TAG.block, bigEndian(height));
}

export function restoredChunkKey(index: number): Uint8Array {
  return concatBytes(RESTORED_CHUNKS, bigEndian(index));
}

export function changesKey(height: number): Uint8Array {
  return storeKey(TAG.changes, bigEndian(height));
}

export function heightKey(id: Hash): Uint8Array {
  return storeKey(TAG.height, hashToBytes(id));
}

export function uncommittedKey(id: Hash): Uint8Array {
  return storeKey(TAG.uncommitted, hashToBytes(id));
}

export function stateKey(key: string): Uint8Array {
  return storeKey(TAG.state, key);
}

export function evidenceKeyOf(epoch: number, offender: number): Uint8Array {
  return concatBytes(TAG.evidence, bigEndian(epoch), bigEndian(offender));
}

/** @param key of the older system: any text, of any length */
export function legacyValueKey(key: string): Uint8Array {
  return storeKey(TAG.legacy, key);
}

export function projectionKey(rest: Uint8Array): Uint8Array {
  return concatBytes(TAG.projection, rest);
}

export function raftEntryKey(index: number): Uint8Array {
  return storeKey(TAG.raftEntry, bigEndian(index));
}

export function dhtHeightKey(recordKey: Uint8Array): Uint8Array {
  return concatBytes(TAG.dht, recordKey);
}

/** Eight bytes, so that keys order as their numbers do. */
export function bigEndian(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  for (let i = 7, rest = value; i >= 0; i--) {
    bytes[i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  return bytes;
}

export function fromBigEndian(bytes: Uint8Array): number {
  let value = 0;
  for (let i = 0; i < 8; i++) value = value * 256 + (bytes[i] as number);
  return value;
}

/** All keys that begin with `prefix`, which is not made of 255s alone. */
export function rangeOf(prefix: Uint8Array): Required<Pick<KeyRange, 'gte' | 'lt'>> {
  let length = prefix.length;
  while (prefix[length - 1] === 255) length--;
  const end = prefix.slice(0, length);
  end[length - 1] = (end[length - 1] as number) + 1;
  return { gte: prefix, lt: end };
}

function tag(letter: string): Uint8Array {
  return utf8(letter);
}
