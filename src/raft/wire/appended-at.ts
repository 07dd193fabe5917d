/**
 * `Log.AppendedAt`, a Go `time.Time`, of which the wire has several forms (go-msgpack 2.x, `decodeTime`): 15 or 16 bytes
 * of `Time.MarshalBinary` as a short raw; or 4, 8 or 12 bytes of MessagePack's timestamp, as raw, bin or extension -1.
 * The time itself is never judged here; what Go cannot read is refused, since Go followers would be handed it on.
 */
import { undecodable } from './limits.ts';
import type { WireReader } from './msgpack-reader.ts';

const MARSHALLED_BYTES = 15;
/** With the seconds of a zone that has some; Go before 1.20 does not read it. */
const MARSHALLED_WITH_SECONDS_BYTES = 16;
/** From the year 1, where Go counts from, to 1970. */
const UNIX_EPOCH_SECONDS = 62_135_596_800n;

/** The bytes of the time in whichever form, or null. */
export function readAppendedAt(from: WireReader): Uint8Array | null {
  const token = from.token();
  if (token >= 0xd4 && token <= 0xd8) return extension(from, token === 0xd6 ? 4 : 8, 1);
  if (token === 0xc7) return extension(from, 12, 2);
  const isShortRaw = token >= 0xa0 && token < 0xc0;
  if (token >= 0x90 && token < 0xa0) return undecodable('a time');
  const time = from.bytes();
  if (time === null || isTimestamp(time) || (isShortRaw && isMarshalled(time))) return time;
  return undecodable('a time');
}

/**
 * The same time in 15 bytes, which every version reads.
 *
 * @returns undefined for no time, which is left out then and read as the zero time
 */
export function portableAppendedAt(time: Uint8Array | null | undefined): Uint8Array | undefined {
  if (time === null || time === undefined) return undefined;
  if (time.length === MARSHALLED_BYTES) return time;
  if (time.length === MARSHALLED_WITH_SECONDS_BYTES) {
    const shorter = time.slice(0, MARSHALLED_BYTES);
    shorter[0] = 1;
    return shorter;
  }
  return marshalled(time);
}

/** @param head bytes before the type */
function extension(from: WireReader, length: number, head: number): Uint8Array {
  const [token, size, type] = [...from.take(head + 1)] as [number, number, number?];
  const isTime = token === 0xc7 ? size === 12 && type === 0xff : (token === 0xd6 || token === 0xd7) && size === 0xff;
  return isTime ? from.take(length) : undecodable('a time');
}

function isTimestamp({ length }: Uint8Array): boolean {
  return length === 4 || length === 8 || length === 12;
}

function isMarshalled(time: Uint8Array): boolean {
  if (time.length === MARSHALLED_BYTES) return time[0] === 1;
  return time.length === MARSHALLED_WITH_SECONDS_BYTES && time[0] === 2;
}

/** A timestamp of MessagePack in Go's form, in UTC. */
function marshalled(timestamp: Uint8Array): Uint8Array {
  const from = new DataView(timestamp.buffer, timestamp.byteOffset, timestamp.length);
  let [seconds, nanoseconds] = [0n, 0];
  if (timestamp.length === 4) seconds = BigInt(from.getUint32(0));
  else if (timestamp.length === 8) {
    const both = from.getBigUint64(0);
    seconds = both & 0x3_ffff_ffffn;
    nanoseconds = Number(both >> 34n);
  } else [seconds, nanoseconds] = [from.getBigInt64(4), from.getUint32(0)];
  const bytes = new Uint8Array(MARSHALLED_BYTES);
  const to = new DataView(bytes.buffer);
  to.setUint8(0, 1);
  to.setBigInt64(1, seconds + UNIX_EPOCH_SECONDS);
  to.setUint32(9, nanoseconds);
  to.setInt16(13, -1);
  return bytes;
}
