/**
 * Is LevelDB's write-ahead log whole? LevelDB itself does not say: at a record whose checksum is wrong it drops the rest
 * of the 32 KiB block and opens as if nothing were missing, and classic-level has no way to ask for more
 * (`paranoid_checks`). One flipped bit there takes back any number of synced batches, a vote's record among them. So the
 * log is read once before LevelDB does (its doc/log_format.md), and what a crash cannot have done is damage:
 *
 *     record: checksum 4 (CRC-32C of type and payload, masked) | length 2 | type 1 | payload
 *     a crash leaves:  whole records, then a part of one       or: zeros from a sector's edge to the end of the file
 *     damage leaves:   a wrong record with all of its bytes
 */

const BLOCK_BYTES = 32_768;
const HEADER_BYTES = 7;
/** A disk writes a sector whole or not at all. */
const SECTOR_BYTES = 512;

/** @returns where the first damaged record begins, or undefined: whole, or torn at its end by a crash */
export function damageInLog(log: Uint8Array): number | undefined {
  let at = 0;
  while (at < log.length) {
    const leftInBlock = BLOCK_BYTES - (at % BLOCK_BYTES);
    if (leftInBlock < HEADER_BYTES) {
      at += leftInBlock;
      continue;
    }
    const end = recordEnd(log, at);
    if (end === undefined) return isTorn(log, at) ? undefined : at;
    at = end;
  }
  return undefined;
}

/** @returns undefined when there is no whole record with this checksum */
function recordEnd(log: Uint8Array, at: number): number | undefined {
  const length = lengthAt(log, at);
  return hasChecksum(log, at, length) ? at + HEADER_BYTES + length : undefined;
}

/** @param at of a record that is not whole */
function isTorn(log: Uint8Array, at: number): boolean {
  if (endsInUnwrittenSectors(log, at)) return true;
  if (at + HEADER_BYTES > log.length) return true;
  const length = lengthAt(log, at);
  const blockEnd = at - (at % BLOCK_BYTES) + BLOCK_BYTES;
  if (at + HEADER_BYTES + length > blockEnd || at + HEADER_BYTES + length <= log.length) return false;
  // The length is not under the checksum: with a bit of it flipped, a whole record looks like a part of a longer one.
  return !Array.from({ length: 16 }, (_, bit) => length ^ (1 << bit)).some((other) => hasChecksum(log, at, other));
}

function endsInUnwrittenSectors(log: Uint8Array, from: number): boolean {
  let written = log.length;
  while (written > from && log[written - 1] === 0) written--;
  return Math.ceil(written / SECTOR_BYTES) * SECTOR_BYTES < log.length;
}

function lengthAt(log: Uint8Array, at: number): number {
  return (log[at + 4] ?? 0) | ((log[at + 5] ?? 0) << 8);
}

function hasChecksum(log: Uint8Array, at: number, length: number): boolean {
  const payloadEnd = at + HEADER_BYTES + length;
  if (payloadEnd > log.length || (at % BLOCK_BYTES) + HEADER_BYTES + length > BLOCK_BYTES) return false;
  const written = new DataView(log.buffer, log.byteOffset + at, 4).getUint32(0, true);
  return masked(crc32c(log, at + 6, payloadEnd)) === written;
}

/** LevelDB masks the checksums that it stores, as a checksum over bytes that hold checksums is a weak one. */
export function masked(crc: number): number {
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/** Castagnoli's polynomial, reflected. */
const POLYNOMIAL = 0x82f63b78;

/** `TABLES[k][b]`: the checksum of the byte b and k zeros after it, so that four bytes take one step. */
const TABLES = makeTables();

function makeTables(): readonly Uint32Array[] {
  const first = Uint32Array.from({ length: 256 }, (_, byte) => {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    return crc;
  });
  const tables = [first];
  for (let k = 1; k < 4; k++) {
    const previous = tables[k - 1] as Uint32Array;
    tables.push(previous.map((crc) => (crc >>> 8) ^ (first[crc & 255] as number)));
  }
  return tables;
}

export function crc32c(bytes: Uint8Array, from: number, to: number): number {
  const [one, two, three, four] = TABLES as readonly [Uint32Array, Uint32Array, Uint32Array, Uint32Array];
  const get = (table: Uint32Array, place: number): number => table[place & 255] as number;
  let crc = 0xffffffff;
  let at = from;
  for (; at + 4 <= to; at += 4) {
    crc ^=
      (bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24);
    crc = get(four, crc) ^ get(three, crc >>> 8) ^ get(two, crc >>> 16) ^ get(one, crc >>> 24);
  }
  for (; at < to; at++) crc = (crc >>> 8) ^ get(one, crc ^ (bytes[at] as number));
  return ~crc >>> 0;
}
