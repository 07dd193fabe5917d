/**
 * Keys of rows are texts with one character a byte. A projection makes several keys an event and looks for them, and a text is
 * what a Map finds; it becomes bytes once, behind the prefix of its generation, when it is written.
 */
import { storeKeyOfBytes, utf8 } from '../base/bytes.ts';
import { rangeOf } from '../ledger/layout.ts';

declare const rowKeyBrand: unique symbol;

const NOTHING = new Uint8Array(0);

/** Character codes from 0 to 255, which are its bytes: keys order as their bytes do. */
export type RowKey = string & { readonly [rowKeyBrand]: true };

/** @param parts of ASCII, as labels, peer ids and digests are; all else by the functions below, or it is refused when it is used */
export function rowKey(...parts: readonly string[]): RowKey {
  let key = '';
  for (const part of parts) key += part;
  return key as RowKey;
}

/** Any text, by its UTF-8. */
export function textInKey(text: string): RowKey {
  return rowKeyFromBytes(utf8(text));
}

/** Eight bytes, big-endian, so that keys order as their numbers do. */
export function numberInKey(value: number): RowKey {
  const high = Math.floor(value / 0x1_0000_0000);
  return (fourBytes(high) + fourBytes(value)) as RowKey;
}

function fourBytes(value: number): string {
  return String.fromCharCode((value >>> 24) & 255, (value >>> 16) & 255, (value >>> 8) & 255, value & 255);
}

/** All keys that begin with this one, which is not made of 255s alone. */
export function rangeUnder(prefix: RowKey): ReturnType<typeof rangeOf> {
  return rangeOf(rowKeyBytes(prefix));
}

export function rowKeyFromBytes(bytes: Uint8Array): RowKey {
  return String.fromCharCode(...bytes) as RowKey;
}

export function rowKeyBytes(key: RowKey): Uint8Array {
  return storeKeyOfBytes(NOTHING, key);
}
