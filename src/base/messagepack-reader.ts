/**
 * Reads the plain values of MessagePack that `messagepack-writer.ts` writes, and nothing else: a number or a length in
 * more bytes than it needs, a map, an extension, a byte too many are refused where they stand. So what is read has one
 * encoding, and no announced length costs more than the bytes that are there.
 */
import { hashAt, type Hash } from './hash.ts';
import { textFromUtf8 } from './bytes.ts';

/** What is wrong with the bytes. Thrown by readers and shapes; a codec makes a refusal of it. */
export class ShapeError extends Error {
  readonly code: 'undecodable' | 'non-canonical';

  constructor(reason: string, code: ShapeError['code'] = 'undecodable') {
    super(reason);
    this.code = code;
  }
}

export function expected(what: string): never {
  throw new ShapeError(`expected ${what}`);
}

/** A value has another spelling here than its own. */
export function misspelt(how: string): never {
  throw new ShapeError(how, 'non-canonical');
}

const eight = new DataView(new ArrayBuffer(8));

export class Reader {
  readonly #bytes: Uint8Array;
  #position = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Nothing may follow. */
  end(): void {
    if (this.#position !== this.#bytes.length) throw new ShapeError('bytes after the end');
  }

  /** @returns whether it was there, and is passed */
  nil(): boolean {
    if (this.#bytes[this.#position] !== 0xc0) return false;
    this.#position++;
    return true;
  }

  bool(): boolean {
    const token = this.#bytes[this.#position++];
    if (token === 0xc3) return true;
    return token === 0xc2 ? false : expected('a boolean');
  }

  /** A whole number in [0, 2^53). */
  uint(): number {
    const token = this.#bytes[this.#position++];
    if (token === undefined) throw new ShapeError('cut off');
    if (token < 0x80) return token;
    switch (token) {
      case 0xcc:
        return this.#atLeast(0x80, 1, 'a number');
      case 0xcd:
        return this.#atLeast(0x100, 2, 'a number');
      case 0xce:
        return this.#atLeast(0x1_0000, 4, 'a number');
      case 0xcb:
        return this.#double();
      default:
        return expected('a whole number');
    }
  }

  /** A whole number in [0, 2^63). */
  uint64(): bigint {
    if (this.#bytes[this.#position] !== 0xd3) return expected('a whole number of 64 bits');
    this.#eight();
    const value = eight.getBigInt64(0);
    return value >= 0n ? value : expected('a whole number below 2^63');
  }

  /** Well-formed text of at most `maxLength` UTF-16 units. */
  text(maxLength: number): string {
    const length = this.#textLength();
    if (length > 3 * maxLength) return expected(`text of at most ${maxLength}`);
    const start = this.#pass(length);
    const text = knownTexts.at(this.#bytes, start, length) ?? this.#utf8(start, length);
    return text.length <= maxLength ? text : expected(`text of at most ${maxLength}`);
  }

  /** A view of the bytes that are read. */
  bytes(minLength: number, maxLength: number): Uint8Array {
    const length = this.#byteLength();
    if (length < minLength || length > maxLength) return expected(`${minLength} to ${maxLength} bytes`);
    const start = this.#pass(length);
    // Always plain: what is read may be a Buffer.
    return new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset + start, length);
  }

  hash(): Hash {
    if (this.#byteLength() !== 32) return expected('a hash of 32 bytes');
    return hashAt(this.#bytes, this.#pass(32));
  }

  /** @returns how many values follow; no more than there are bytes left */
  list(maxItems: number): number {
    const token = this.#bytes[this.#position++] as number;
    let length: number;
    if (token >= 0x90 && token < 0xa0) length = token & 0x0f;
    else if (token === 0xdc) length = this.#atLeast(0x10, 2, 'a list');
    else if (token === 0xdd) length = this.#atLeast(0x1_0000, 4, 'a list');
    else return expected('a list');
    if (length > maxItems) return expected(`a list of at most ${maxItems}`);
    if (length > this.#bytes.length - this.#position) throw new ShapeError('cut off');
    return length;
  }

  #textLength(): number {
    const token = this.#bytes[this.#position++] as number;
    if (token >= 0xa0 && token < 0xc0) return token & 0x1f;
    switch (token) {
      case 0xd9:
        return this.#atLeast(0x20, 1, 'a text');
      case 0xda:
        return this.#atLeast(0x100, 2, 'a text');
      case 0xdb:
        return this.#atLeast(0x1_0000, 4, 'a text');
      default:
        return expected('text');
    }
  }

  #byteLength(): number {
    switch (this.#bytes[this.#position++]) {
      case 0xc4:
        return this.#atLeast(0, 1, 'bytes');
      case 0xc5:
        return this.#atLeast(0x100, 2, 'bytes');
      case 0xc6:
        return this.#atLeast(0x1_0000, 4, 'bytes');
      default:
        return expected('bytes');
    }
  }

  /** A number of `width` bytes, which would fit into fewer were it below `least`. */
  #atLeast(least: number, width: number, what: string): number {
    const start = this.#pass(width);
    let value = 0;
    for (let i = 0; i < width; i++) value = value * 256 + (this.#bytes[start + i] as number);
    return value >= least ? value : misspelt(`${what} in more bytes than it needs`);
  }

  #double(): number {
    this.#position--;
    this.#eight();
    const value = eight.getFloat64(0);
    if (!Number.isSafeInteger(value) || value < 0) return expected('a whole number');
    return value >= 0x1_0000_0000 ? value : misspelt('a number in more bytes than it needs');
  }

  /** The eight bytes after a token. */
  #eight(): void {
    this.#position++;
    const start = this.#pass(8);
    for (let i = 0; i < 8; i++) eight.setUint8(i, this.#bytes[start + i] as number);
  }

  /** @returns where the next `length` bytes begin */
  #pass(length: number): number {
    const start = this.#position;
    if (length > this.#bytes.length - start) throw new ShapeError('cut off');
    this.#position = start + length;
    return start;
  }

  #utf8(start: number, length: number): string {
    try {
      return textFromUtf8(this.#bytes.subarray(start, start + length));
    } catch {
      throw new ShapeError('text that is not UTF-8');
    }
  }
}

/**
 * Short ASCII texts that were read last: chain ids, peer ids, versions and addresses come again and again. To find one
 * costs a third of decoding it, and all who hold it hold the same string.
 */
class TextTable {
  readonly #texts = new Array<string>(TEXT_SLOTS).fill('');

  /** @returns undefined for what is longer, or not ASCII */
  at(bytes: Uint8Array, start: number, length: number): string | undefined {
    if (length > MAX_KNOWN_LENGTH) return undefined;
    let sum = length;
    for (let i = start; i < start + length; i++) {
      const byte = bytes[i] as number;
      if (byte >= 0x80) return undefined;
      sum = (Math.imul(sum, 31) + byte) | 0;
    }
    const slot = (sum ^ (sum >>> 15)) & (TEXT_SLOTS - 1);
    const known = this.#texts[slot] as string;
    if (isAt(known, bytes, start, length)) return known;
    const text = textFromUtf8(bytes.subarray(start, start + length));
    this.#texts[slot] = text;
    return text;
  }
}

const TEXT_SLOTS = 1 << 12;
const MAX_KNOWN_LENGTH = 64;

function isAt(text: string, bytes: Uint8Array, start: number, length: number): boolean {
  if (text.length !== length) return false;
  for (let i = 0; i < length; i++) if (text.charCodeAt(i) !== bytes[start + i]) return false;
  return true;
}

const knownTexts = new TextTable();
