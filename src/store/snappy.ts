/**
 * Snappy's block format, as LevelDB compresses the blocks of its tables: the length of the content, then by turns bytes as
 * they are and copies of bytes that came before (google/snappy, format_description.txt).
 */

/** A block of a table is 4 KiB, and more only where one entry is. */
const MAX_CONTENT_BYTES = 1 << 28;

/** @returns undefined: not what a compressor makes */
export function unsnappied(input: Uint8Array): Uint8Array | undefined {
  const header = varint(input, 0);
  if (header === undefined || header.value > MAX_CONTENT_BYTES || header.value > 64 * input.length) return undefined;
  const output = new Uint8Array(header.value);
  let at = header.next;
  let filled = 0;
  while (at < input.length) {
    const element = elementAt(input, at);
    if (element === undefined || filled + element.length > output.length) return undefined;
    const { copyFrom, length } = element;
    if (copyFrom === null) {
      if (element.next + length > input.length) return undefined;
      output.set(input.subarray(element.next, element.next + length), filled);
      at = element.next + length;
    } else {
      if (copyFrom === 0 || copyFrom > filled) return undefined;
      // Byte by byte: a copy may reach into what it makes.
      for (let i = 0; i < length; i++) output[filled + i] = output[filled + i - copyFrom] as number;
      at = element.next;
    }
    filled += length;
  }
  return filled === output.length ? output : undefined;
}

interface Element {
  readonly length: number;
  /** So many bytes back; null: the bytes follow. */
  readonly copyFrom: number | null;
  readonly next: number;
}

function elementAt(input: Uint8Array, at: number): Element | undefined {
  const tag = input[at] as number;
  const more = tag >> 2;
  const kind = tag & 3;
  if (kind === 0 && more < 60) return { length: more + 1, copyFrom: null, next: at + 1 };
  const size = kind === 0 ? more - 59 : kind === 3 ? 4 : kind;
  if (at + 1 + size > input.length) return undefined;
  const number = littleEndian(input, at + 1, size);
  const next = at + 1 + size;
  if (kind === 0) return { length: number + 1, copyFrom: null, next };
  if (kind === 1) return { length: 4 + (more & 7), copyFrom: ((tag >> 5) << 8) | number, next };
  return { length: more + 1, copyFrom: number, next };
}

function littleEndian(input: Uint8Array, at: number, size: number): number {
  let value = 0;
  for (let i = size - 1; i >= 0; i--) value = value * 256 + (input[at + i] as number);
  return value;
}

/** LevelDB's and Snappy's: seven bits a byte, lowest first. @returns undefined past 2^53 or past the end */
export function varint(input: Uint8Array, from: number): { readonly value: number; readonly next: number } | undefined {
  let value = 0;
  for (let at = from, scale = 1; at < input.length && at < from + 8; at++, scale *= 128) {
    const byte = input[at] as number;
    value += (byte & 127) * scale;
    if (byte < 128) return value <= Number.MAX_SAFE_INTEGER ? { value, next: at + 1 } : undefined;
  }
  return undefined;
}
