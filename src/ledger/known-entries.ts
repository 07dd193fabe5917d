/**
 * Node entries beside their bytes, those that were read or written last. An event's entry is touched several times within
 * moments: read and written by its execution, read as it was and as it is by each projection, read again by the node's next
 * event. To decode it costs 3 us each time, to find it here a tenth of that.
 *
 * A function of the bytes alone, like the decoder: what is remembered changes no result.
 */
import { nodeEntryCodec, type NodeEntry } from './record.ts';

const SLOTS = 1 << 13;
/** Longer entries are decoded each time. Most take 200 to 300 bytes. */
const SLOT_BYTES = 512;

/** Copies, in 4 MB of their own: an array of somebody else would keep all the memory that it shares. */
const encodings = new Uint8Array(SLOTS * SLOT_BYTES);
const lengths = new Uint16Array(SLOTS);
const entries = new Array<NodeEntry | undefined>(SLOTS).fill(undefined);

/**
 * @param bytes of this program's own state
 * @throws AssertionError when they do not decode
 */
export function decodeOwnEntry(bytes: Uint8Array): NodeEntry {
  const slot = slotOf(bytes);
  const last = entries[slot];
  if (last !== undefined && isIn(slot, bytes)) return last;
  const entry = nodeEntryCodec.decodeOwn(bytes);
  remember(slot, bytes, entry);
  return entry;
}

/** @param entry that its codec gives back as it is, once it is written: of no more fields, and within all bounds */
export function encodeEntry(entry: NodeEntry): Uint8Array {
  const bytes = nodeEntryCodec.encode(entry);
  remember(slotOf(bytes), bytes, entry);
  return bytes;
}

function isIn(slot: number, bytes: Uint8Array): boolean {
  const { length } = bytes;
  if (lengths[slot] !== length) return false;
  const start = slot * SLOT_BYTES;
  for (let i = 0; i < length; i++) if (encodings[start + i] !== bytes[i]) return false;
  return true;
}

function remember(slot: number, bytes: Uint8Array, entry: NodeEntry): void {
  if (bytes.length > SLOT_BYTES) return;
  encodings.set(bytes, slot * SLOT_BYTES);
  lengths[slot] = bytes.length;
  entries[slot] = entry;
}

/** By the end of the encoding, which is the end of the last event's digest: as good as random. */
function slotOf(bytes: Uint8Array): number {
  const { length } = bytes;
  return (((bytes[length - 2] as number) << 8) | (bytes[length - 1] as number)) & (SLOTS - 1);
}
