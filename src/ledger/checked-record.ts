/**
 * A record of this node's own with the hash of what it says. LevelDB does not look at the checksums of its tables when it
 * reads them, so a bit that flips on the disk comes back as another value. Blocks and state are known by their hashes;
 * what nothing else vouches for is kept in this form.
 */
import { bytes, codec, hash, struct } from '../base/codec.ts';
import { sha256Hex, type Hash } from '../base/hash.ts';

interface CheckedRecord {
  readonly content: Uint8Array;
  readonly check: Hash;
}

const checkedCodec = codec(
  struct<CheckedRecord>({ content: bytes(Number.MAX_SAFE_INTEGER), check: hash }),
  Number.MAX_SAFE_INTEGER,
);

export function withCheck(content: Uint8Array): Uint8Array {
  return checkedCodec.encode({ content, check: sha256Hex(content) });
}

/** What was written, or null where it is something else by now. */
export function contentOf(record: Uint8Array): Uint8Array | null {
  const checked = checkedCodec.decode(record);
  if (!checked.ok) return null;
  const { check, content } = checked.value;
  return sha256Hex(content) === check ? content : null;
}
