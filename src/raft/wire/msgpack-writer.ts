/**
 * Writes MessagePack as go-msgpack does with `MsgpackHandle{}`: the old specification, in which texts and bytes are one
 * type, "raw". Never str8, never bin, never an extension. Numbers in their shortest form.
 */
import { assert } from '../../base/assert.ts';
import { utf8 } from '../../base/bytes.ts';

const TWO_32 = 0x1_0000_0000;

export class WireWriter {
  #bytes: Uint8Array;
  #length = 0;

  /** @param bytes about how much will be written: exact at best, so that nothing is copied and nothing is left over */
  constructor(bytes: number) {
    this.#bytes = new Uint8Array(bytes);
  }

  /** What was written. The writer is of no use afterwards. */
  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  /** Bytes that are an encoding already. */
  encoded(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    const at = this.#length;
    if (bytes.length > MAX_LOOPED_BYTES) this.#bytes.set(bytes, at);
    else for (let i = 0; i < bytes.length; i++) this.#bytes[at + i] = bytes[i] as number;
    this.#length += bytes.length;
  }

  nil(): void {
    this.byte(0xc0);
  }

  bool(value: boolean): void {
    this.byte(value ? 0xc3 : 0xc2);
  }

  /** @param value a whole number in [0, 2^53) */
  uint(value: number): void {
    assert(Number.isSafeInteger(value) && value >= 0, 'a number is whole, not negative, below 2^53', { value });
    if (value < 0x80) this.byte(value);
    else if (value < 0x100) this.#number(0xcc, value, 1);
    else if (value < 0x1_0000) this.#number(0xcd, value, 2);
    else if (value < TWO_32) this.#number(0xce, value, 4);
    else this.#wide(0xcf, value);
  }

  /** As go-msgpack 2.x writes an `int`. @param value a whole number in (-2^53, 2^53) */
  int(value: number): void {
    assert(Number.isSafeInteger(value), 'a number is whole and within 2^53', { value });
    if (value >= -0x20 && value < 0x80) this.byte(value & 0xff);
    else if (value >= -0x80 && value < 0) this.#number(0xd0, value, 1);
    else if (value >= -0x8000 && value < 0x8000) this.#number(0xd1, value, 2);
    else if (value >= -0x8000_0000 && value < 0x8000_0000) this.#number(0xd2, value, 4);
    else this.#wide(0xd3, value);
  }

  bytes(value: Uint8Array | null): void {
    if (value === null) return this.nil();
    this.#rawHeader(value.length);
    this.encoded(value);
  }

  text(value: string): void {
    this.bytes(utf8(value));
  }

  /** So many values follow. */
  array(length: number): void {
    if (length < 0x10) this.byte(0x90 | length);
    else if (length < 0x1_0000) this.#number(0xdc, length, 2);
    else this.#number(0xdd, length, 4);
  }

  /** So many keys follow, a value after each. */
  map(length: number): void {
    assert(length < 0x10, 'a struct has few fields', { length });
    this.byte(0x80 | length);
  }

  #rawHeader(length: number): void {
    if (length < 0x20) this.byte(0xa0 | length);
    else if (length < 0x1_0000) this.#number(0xda, length, 2);
    else this.#number(0xdb, length, 4);
  }

  #number(token: number, value: number, width: number): void {
    this.#reserve(9);
    this.#bytes[this.#length++] = token;
    this.#bigEndian(value, width);
  }

  #wide(token: number, value: number): void {
    const high = Math.floor(value / TWO_32);
    this.#number(token, high, 4);
    this.#bigEndian(value - high * TWO_32, 4);
  }

  #bigEndian(value: number, width: number): void {
    for (let shift = 8 * (width - 1); shift >= 0; shift -= 8) this.#bytes[this.#length++] = value >>> shift;
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(needed, 2 * this.#bytes.length));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }
}

const MAX_LOOPED_BYTES = 32;
