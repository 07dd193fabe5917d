/** Node entries in the state: read, and written with every check that a record must pass. */
import { assert } from '../base/assert.ts';
import { ok, refuse, type Result } from '../base/result.ts';
import { checkRecordInvariants } from './invariants.ts';
import { decodeOwnEntry, encodeEntry } from './known-entries.ts';
import { MAX_RECORD_BYTES, type NodeEntry } from './record.ts';
import { nodeKey, type Overlay, type StateReader } from './state.ts';

/** @returns undefined when the state never heard of the node */
export function readEntry(state: StateReader, peerId: string): NodeEntry | undefined {
  const bytes = state.get(nodeKey(peerId));
  if (bytes === undefined) return undefined;
  const entry = decodeOwnEntry(bytes);
  assert(entry.peerId === peerId, "the state's entry is that of its key", { peerId, found: entry.peerId });
  return entry;
}

/**
 * Refusals: `record-too-large`.
 *
 * @throws AssertionError when the record breaks an invariant
 */
export function writeEntry(overlay: Overlay, entry: NodeEntry): Result<void> {
  if (entry.kind === 'record') checkRecordInvariants(entry);
  const bytes = encodeEntry(entry);
  if (bytes.length > MAX_RECORD_BYTES) {
    return refuse('record-too-large', 'the record would be larger than 4 KiB', {
      bytes: bytes.length,
      maxBytes: MAX_RECORD_BYTES,
    });
  }
  overlay.set(nodeKey(entry.peerId), bytes);
  return ok(undefined);
}
