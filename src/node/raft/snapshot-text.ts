/**
 * A snapshot of the ledger as text: one JSON object, which a node of the older system reads as its map of values.
 *
 *     {"key":value,...}                                             before BASE, byte for byte what that node would write
 *     {"hotledger\/ledger\/1":["base64",...],"key":value,...}       from BASE on
 *
 * The second form has the whole ledger in its first member and the values of the older system behind it, so that a node of
 * that system which still follows can take it: it holds one value more. Go never writes an escaped slash, so that no
 * snapshot of its own begins like this, whatever keys it holds.
 */
import { utf8 } from '../../base/bytes.ts';
import { codedError, type CodedError } from '../../base/result.ts';
import { compactValue, isNull, memberOf, skipSpace, stringText, wholeValue } from '../../ledger/go-json.ts';

/** Begins a snapshot from BASE on. */
export const LEDGER_OPENING = utf8('{"hotledger\\/ledger\\/1":[');
export const LEDGER_CLOSING = utf8(']');
export const MAP_OPENING = utf8('{');
export const MAP_CLOSING = utf8('}');

/** Of one member, or of one chunk of the ledger: the reader holds no more than this and what came with it. */
export const MAX_SNAPSHOT_ITEM_BYTES = 64 * 1024 * 1024;

export type SnapshotPart =
  | { readonly kind: 'value'; readonly key: string; readonly value: Uint8Array }
  | { readonly kind: 'chunk'; readonly chunk: Uint8Array };

/** A chunk of the ledger with the comma before it, unless it is the first. */
export function chunkText(chunk: Uint8Array, isFirst: boolean): Uint8Array {
  return utf8(`${isFirst ? '' : ','}"${Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length).toString('base64')}"`);
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPEN_OBJECT = 0x7b;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const CLOSE_OBJECT = 0x7d;

/** Takes a snapshot apart as it comes, in pieces of any size. */
export class SnapshotText {
  #state: 'start' | 'ledger' | 'behind-ledger' | 'values' | 'end' = 'start';
  readonly #held = new Held();
  /** How far into what is held the item was looked at. */
  #seen = 0;
  #depth = 0;
  #inString = false;
  /** Of the list or object that is read: whether an item of it was seen. */
  #isEmpty = true;
  /** It is of the form from BASE on; known by its first bytes. */
  isLedger = false;

  /** @throws CodedError `snapshot-malformed` */
  push(bytes: Uint8Array): readonly SnapshotPart[] {
    this.#held.add(bytes);
    const parts: SnapshotPart[] = [];
    if (this.#state === 'start' && this.#held.bytes.length >= LEDGER_OPENING.length) this.#begin();
    if (this.#state !== 'start') this.#takeApart(parts);
    return parts;
  }

  /** What is left, when no more comes. @throws CodedError `snapshot-malformed` */
  end(): readonly SnapshotPart[] {
    const parts: SnapshotPart[] = [];
    if (this.#state === 'start') {
      const whole = wholeValue(this.#held.bytes);
      // As Go does, which takes it for an empty map.
      if (whole !== undefined && isNull(this.#held.bytes, whole)) return parts;
      this.#begin();
      this.#takeApart(parts);
    }
    const { bytes } = this.#held;
    if (this.#state !== 'end' || skipSpace(bytes, 0) !== bytes.length) {
      throw malformed('it ends before its end, or goes on behind it');
    }
    return parts;
  }

  #begin(): void {
    const { bytes } = this.#held;
    if (LEDGER_OPENING.every((byte, place) => bytes[place] === byte)) {
      this.isLedger = true;
      this.#state = 'ledger';
      this.#held.drop(LEDGER_OPENING.length);
      return;
    }
    const at = skipSpace(bytes, 0);
    if (bytes[at] !== OPEN_OBJECT) throw malformed('it is no JSON object');
    this.#state = 'values';
    this.#held.drop(at + 1);
  }

  #takeApart(parts: SnapshotPart[]): void {
    while (this.#state !== 'end') {
      if (this.#state === 'behind-ledger') {
        if (!this.#goBehindLedger()) return;
        continue;
      }
      const { bytes } = this.#held;
      const end = this.#itemEnd(bytes);
      if (end === undefined) {
        if (bytes.length > MAX_SNAPSHOT_ITEM_BYTES) throw malformed('a part of it is too large');
        return;
      }
      this.#item(bytes, end, parts);
    }
  }

  /** @returns whether there was a byte to decide by */
  #goBehindLedger(): boolean {
    const { bytes } = this.#held;
    const at = skipSpace(bytes, 0);
    const next = bytes[at];
    if (next === undefined) return false;
    if (next !== COMMA && next !== CLOSE_OBJECT) throw malformed('something else follows the ledger');
    this.#state = next === COMMA ? 'values' : 'end';
    this.#held.drop(at + 1);
    return true;
  }

  /** The place of the comma or the bracket that ends the item; undefined while it is not there. */
  #itemEnd(bytes: Uint8Array): number | undefined {
    let at = this.#seen;
    for (; at < bytes.length; at++) {
      const byte = bytes[at];
      if (byte === QUOTE) this.#inString = !this.#inString;
      else if (byte === BACKSLASH && this.#inString) at++;
      else if (this.#inString) continue;
      else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) this.#depth++;
      else if (byte === COMMA && this.#depth === 0) return at;
      else if ((byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) && --this.#depth < 0) return at;
    }
    // Beyond the end, where that is a backslash: what it escapes is passed over when it comes.
    this.#seen = at;
    return undefined;
  }

  #item(bytes: Uint8Array, end: number, parts: SnapshotPart[]): void {
    const item = bytes.subarray(0, end);
    const isLast = bytes[end] !== COMMA;
    if (isLast && bytes[end] !== (this.#state === 'ledger' ? CLOSE_ARRAY : CLOSE_OBJECT)) {
      throw malformed('its brackets do not match');
    }
    // Nothing at all is between the brackets of an empty object.
    if (!isLast || !this.#isEmpty || skipSpace(item, 0) < item.length) {
      parts.push(this.#state === 'ledger' ? chunkOf(item) : valueOf(item));
    }
    if (isLast) this.#state = this.#state === 'ledger' ? 'behind-ledger' : 'end';
    this.#isEmpty = false;
    this.#seen = 0;
    this.#depth = 0;
    this.#held.drop(end + 1);
  }
}

/** Bytes that come at the end and go at the beginning. */
class Held {
  #buffer = new Uint8Array(64 * 1024);
  #from = 0;
  #to = 0;

  get bytes(): Uint8Array {
    return this.#buffer.subarray(this.#from, this.#to);
  }

  add(bytes: Uint8Array): void {
    const length = this.#to - this.#from;
    if (this.#to + bytes.length > this.#buffer.length) {
      const fits = length + bytes.length <= this.#buffer.length / 2;
      const buffer = fits ? this.#buffer : new Uint8Array(2 * (length + bytes.length));
      buffer.set(this.bytes);
      this.#buffer = buffer;
      this.#from = 0;
      this.#to = length;
    }
    this.#buffer.set(bytes, this.#to);
    this.#to += bytes.length;
  }

  drop(length: number): void {
    this.#from += length;
  }
}

/** @throws CodedError */
function chunkOf(item: Uint8Array): SnapshotPart {
  const text = Buffer.from(item.buffer, item.byteOffset + 1, Math.max(0, item.length - 2)).toString('latin1');
  const chunk = Buffer.from(text, 'base64');
  if (item[0] !== QUOTE || item.at(-1) !== QUOTE || chunk.toString('base64') !== text) {
    throw malformed('a part of the ledger is not in base64');
  }
  return { kind: 'chunk', chunk: new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length) };
}

/** @throws CodedError */
function valueOf(item: Uint8Array): SnapshotPart {
  const member = memberOf(item);
  if (member === undefined) throw malformed('a value is not well-formed JSON');
  return { kind: 'value', key: stringText(item, member.name), value: compactValue(item, member.value) };
}

export function malformed(reason: string): CodedError {
  return codedError('snapshot-malformed', 'the snapshot is not one of this ledger, or was damaged on its way', {
    reason,
  });
}
