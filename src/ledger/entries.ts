/** Node entries in the state: read, and written with every check that a record must pass. */
import { assert } from '../base/assert.ts';
import { ok, refuse, type Result } from '../base/result.ts';
import { checkRecordInvariants } from './invariants.ts';
import { decodeOwnEntry, encodeEntry } from './known-entries.ts';
import { MAX_RECORD_BYTES, type NodeEntry } from './record.ts';
import { nodeKey, type Overlay, type StateChange, type StateReader } from './state.ts';

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
export function entryChange(entry: NodeEntry): Result<StateChange> {
  if (entry.kind === 'record') checkRecordInvariants(entry);
  const bytes = encodeEntry(entry);
  if (bytes.length > MAX_RECORD_BYTES) {
    return refuse('record-too-large', 'the record would be larger than 4 KiB', {
      bytes: bytes.length,
      maxBytes: MAX_RECORD_BYTES,
    });
  }
  return ok({ key: nodeKey(entry.peerId), value: bytes });
}

/** The same, written. */
export function writeEntry(overlay: Overlay, entry: NodeEntry): Result<void> {
  const change = entryChange(entry);
  if (!change.ok) return change;
  overlay.set(change.value.key, change.value.value);
  return ok(undefined);
}
