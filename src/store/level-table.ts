/**
 * Is a table of LevelDB whole? LevelDB checks nothing of a table when it reads it, as classic-level does not ask it to. So
 * the checksum of every block of the file is computed here (LevelDB, doc/table_format.md):
 *
 *     data blocks | filter | metaindex | index | footer: handles of metaindex and index, padding, magic
 *     block: content | compression 1 | checksum 4 (CRC-32C of content and compression, masked)
 */
import { crc32c, masked } from './level-log.ts';
import { unsnappied, varint } from './snappy.ts';

const FOOTER_BYTES = 48;
const TRAILER_BYTES = 5;
const MAGIC = [0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb];
const COMPRESSION = { none: 0, snappy: 1 } as const;

interface Handle {
  readonly offset: number;
  readonly size: number;
}

/** @returns where the first damaged block begins, or undefined: whole */
export function damageInTable(table: Uint8Array): number | undefined {
  const footerAt = table.length - FOOTER_BYTES;
  if (footerAt < 0 || !MAGIC.every((byte, i) => table[table.length - MAGIC.length + i] === byte)) {
    return Math.max(0, footerAt);
  }
  const metaindex = handleAt(table, footerAt);
  const index = metaindex === undefined ? undefined : handleAt(table, metaindex.next);
  if (metaindex === undefined || index === undefined) return footerAt;
  for (const top of [index.handle, metaindex.handle]) {
    const content = contentOf(table, top);
    const handles = content === undefined ? undefined : handlesIn(content);
    if (handles === undefined) return top.offset;
    const damaged = handles.find((handle) => !isWhole(table, handle));
    if (damaged !== undefined) return damaged.offset;
  }
  return undefined;
}

function isWhole(table: Uint8Array, { offset, size }: Handle): boolean {
  const end = offset + size;
  if (end + TRAILER_BYTES > table.length) return false;
  const written = new DataView(table.buffer, table.byteOffset + end + 1, 4).getUint32(0, true);
  return masked(crc32c(table, offset, end + 1)) === written;
}

function contentOf(table: Uint8Array, handle: Handle): Uint8Array | undefined {
  if (!isWhole(table, handle)) return undefined;
  const content = table.subarray(handle.offset, handle.offset + handle.size);
  const compression = table[handle.offset + handle.size];
  if (compression === COMPRESSION.none) return content;
  return compression === COMPRESSION.snappy ? unsnappied(content) : undefined;
}

/** The values of a block whose entries name other blocks: shared, own, value lengths, rest of the key, value. */
function handlesIn(block: Uint8Array): readonly Handle[] | undefined {
  if (block.length < 4) return undefined;
  const restarts = new DataView(block.buffer, block.byteOffset + block.length - 4, 4).getUint32(0, true);
  const end = block.length - 4 - 4 * restarts;
  const handles: Handle[] = [];
  for (let at = 0; at < end;) {
    const shared = varint(block, at);
    const own = shared && varint(block, shared.next);
    const value = own && varint(block, own.next);
    if (value === undefined || own === undefined) return undefined;
    const from = value.next + own.value;
    const handle = handleAt(block, from);
    if (handle === undefined || handle.next > from + value.value) return undefined;
    handles.push(handle.handle);
    at = from + value.value;
  }
  return handles;
}

function handleAt(bytes: Uint8Array, at: number): { readonly handle: Handle; readonly next: number } | undefined {
  const offset = varint(bytes, at);
  const size = offset && varint(bytes, offset.next);
  return offset && size && { handle: { offset: offset.value, size: size.value }, next: size.next };
}
