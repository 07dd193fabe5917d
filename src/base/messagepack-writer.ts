/**
 * Writes the plain values of MessagePack, each in its shortest form: the one encoding that `messagepack-reader.ts`
 * accepts. (https://github.com/msgpack/msgpack/blob/master/spec.md; whole numbers from 2^32 on travel as doubles, as
 * msgpackr writes them, and 64-bit integers always in nine bytes.)
 */
import { copyOf } from './bytes.ts';
import { hashInto, type Hash } from './hash.ts';

const FIRST_BYTES = 4096;
/** Most bytes of UTF-8 a UTF-16 unit. */
const MAX_BYTES_PER_UNIT = 3;

const encoder = new TextEncoder();
const eight = new DataView(new ArrayBuffer(8));

export class Writer {
  #bytes = new Uint8Array(FIRST_BYTES);
  #length = 0;

  /** What `write` adds, as bytes of their own. A write inside of a write is fine: it adds behind and takes away again. */
  encode(write: (to: this) => void): Uint8Array {
    const start = this.#length;
    try {
      write(this);
      return copyOf(this.#bytes.subarray(start, this.#length));
    } finally {
      this.#length = start;
    }
  }

  nil(): void {
    this.#byte(0xc0);
  }

  bool(value: boolean): void {
    this.#byte(value ? 0xc3 : 0xc2);
  }

  /** @param value a whole number in [0, 2^53) */
  uint(value: number): void {
    if (value < 0x80) this.#byte(value);
    else if (value < 0x1_0000_0000) this.#sized(value, 0xcc, 0xcd, 0xce);
    else {
      eight.setFloat64(0, value);
      this.#nine(0xcb);
    }
  }

  /** @param value a whole number in [0, 2^63) */
  uint64(value: bigint): void {
    eight.setBigUint64(0, value);
    this.#nine(0xd3);
  }

  text(value: string): void {
    const units = value.length;
    const most = units * MAX_BYTES_PER_UNIT;
    this.#reserve(most + 5);
    const bytes = this.#bytes;
    // Mostly ASCII: its header is as long as that of so many bytes.
    let at = this.#length + textHeaderBytes(units);
    for (let i = 0; i < units; i++) {
      const unit = value.charCodeAt(i);
      if (unit >= 0x80) return this.#utf8(value);
      bytes[at++] = unit;
    }
    this.#textHeader(units);
    this.#length = at;
  }

  bytes(value: Uint8Array): void {
    this.#sized(value.length, 0xc4, 0xc5, 0xc6);
    this.#reserve(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
  }

  /** 32 bytes. @throws AssertionError when it is no digest */
  hash(digest: Hash): void {
    this.#reserve(34);
    this.#bytes[this.#length] = 0xc4;
    this.#bytes[this.#length + 1] = 32;
    hashInto(digest, this.#bytes, this.#length + 2);
    this.#length += 34;
  }

  /** So many values follow. */
  list(length: number): void {
    if (length < 0x10) this.#byte(0x90 | length);
    else if (length < 0x1_0000) this.#number(0xdc, length, 2);
    else this.#number(0xdd, length, 4);
  }

  #utf8(value: string): void {
    const { written } = encoder.encodeInto(value, this.#bytes.subarray(this.#length + 5));
    const encoded = this.#length + 5;
    this.#textHeader(written);
    this.#bytes.copyWithin(this.#length, encoded, encoded + written);
    this.#length += written;
  }

  #textHeader(length: number): void {
    if (length < 0x20) this.#byte(0xa0 | length);
    else this.#sized(length, 0xd9, 0xda, 0xdb);
  }

  /** A number or a length in one, two or four bytes. */
  #sized(value: number, one: number, two: number, four: number): void {
    if (value < 0x100) this.#number(one, value, 1);
    else if (value < 0x1_0000) this.#number(two, value, 2);
    else this.#number(four, value, 4);
  }

  #number(token: number, value: number, width: number): void {
    this.#reserve(5);
    const bytes = this.#bytes;
    bytes[this.#length++] = token;
    for (let shift = 8 * (width - 1); shift >= 0; shift -= 8) bytes[this.#length++] = value >>> shift;
  }

  #nine(token: number): void {
    this.#reserve(9);
    this.#bytes[this.#length++] = token;
    for (let i = 0; i < 8; i++) this.#bytes[this.#length++] = eight.getUint8(i);
  }

  #byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(needed, 2 * this.#bytes.length));
    larger.set(this.#bytes);
    this.#bytes = larger;
  }
}

function textHeaderBytes(length: number): number {
  if (length < 0x20) return 1;
  if (length < 0x100) return 2;
  return length < 0x1_0000 ? 3 : 5;
}
