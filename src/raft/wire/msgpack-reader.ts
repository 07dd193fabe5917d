/**
 * Reads MessagePack as the decoders of go-msgpack do (0.5.5 and 2.x; where they differ, as 2.x): texts and bytes in any
 * form, an array of small numbers for bytes, numbers in more bytes than they need, nil for the zero of every type. What
 * Go refuses is refused: a float or a negative where a number without sign is wanted, an array for a struct. Beyond Go,
 * numbers from 2^53 on are refused.
 */
import { textFromUtf8, utf8 } from '../../base/bytes.ts';
import { refuseWire, undecodable, type WireLimits } from './limits.ts';

const TWO_32 = 0x1_0000_0000;
/** The high half of 2^53. */
const HIGH_OF_2_53 = 0x20_0000;

/** The fields of a struct in the order in which Go writes them. */
export class FieldTable {
  readonly names: readonly string[];
  /** Each key as Go writes it. */
  readonly encoded: readonly Uint8Array[];
  readonly #indexes: ReadonlyMap<string, number>;

  constructor(names: readonly string[]) {
    this.names = names;
    this.encoded = names.map(encodedKey);
    this.#indexes = new Map(names.map((name, i) => [name, i]));
  }

  /** @returns -1 where there is no such field */
  indexOf(name: string): number {
    return this.#indexes.get(name) ?? -1;
  }
}

/** @param name of less than 32 characters of ASCII */
export function encodedKey(name: string): Uint8Array {
  return Uint8Array.of(0xa0 | name.length, ...utf8(name));
}

export class WireReader {
  readonly limits: WireLimits;
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array, limits: WireLimits) {
    this.#bytes = bytes;
    this.limits = limits;
  }

  /** Nothing may follow. */
  end(): void {
    if (this.#at !== this.#bytes.length) undecodable('the end');
  }

  /** The next byte, which stays unread. */
  token(): number {
    const token = this.#bytes[this.#at];
    return token === undefined ? undecodable('more bytes') : token;
  }

  /** A view of the next bytes, whatever they are. */
  take(length: number): Uint8Array {
    const start = this.#pass(length);
    // Always plain: what is read may be a Buffer.
    return new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset + start, length);
  }

  /** @returns whether it was there, and is passed */
  nil(): boolean {
    if (this.#bytes[this.#at] !== 0xc0) return false;
    this.#at++;
    return true;
  }

  bool(): boolean {
    const token = this.#next();
    if (token === 0xc3 || token === 1) return true;
    return token === 0xc2 || token === 0xc0 || token === 0 ? false : undecodable('a boolean');
  }

  /** A whole number in [0, 2^53). */
  uint(): number {
    const value = this.int();
    return value >= 0 ? value : undecodable('a number that is not negative');
  }

  /** A whole number in (-2^53, 2^53). */
  int(): number {
    const token = this.#next();
    if (token < 0x80) return token;
    if (token >= 0xe0) return token - 0x100;
    switch (token) {
      case 0xc0:
        return 0;
      case 0xcc:
      case 0xcd:
      case 0xce:
        return this.#unsigned(1 << (token - 0xcc));
      case 0xd0:
        return (this.#unsigned(1) << 24) >> 24;
      case 0xd1:
        return (this.#unsigned(2) << 16) >> 16;
      case 0xd2:
        return this.#unsigned(4) | 0;
      case 0xcf:
        return this.#wide(this.#unsigned(4));
      case 0xd3:
        return this.#wide(this.#unsigned(4) | 0);
      default:
        return undecodable('a whole number');
    }
  }

  /** A view of what is read, or null for nil. */
  bytes(): Uint8Array | null {
    const token = this.token();
    if (token === 0xc0) {
      this.#at++;
      return null;
    }
    if ((token >= 0x90 && token < 0xa0) || token === 0xdc || token === 0xdd) return this.#bytesOfNumbers();
    return this.take(this.#rawLength('bytes'));
  }

  /** Text of an id or an address, null for nil. */
  name(): string | null {
    const bytes = this.bytes();
    if (bytes === null) return null;
    const { maxNameBytes } = this.limits;
    if (bytes.length > maxNameBytes) refuseLimit('a name', bytes.length, maxNameBytes);
    return textOf(bytes);
  }

  /** Text, empty for nil. */
  text(): string {
    return this.nil() ? '' : textOf(this.take(this.#rawLength('text')));
  }

  /** @returns how many values follow, or null for nil; no more than there are bytes left */
  array(what: string, max: number): number | null {
    const token = this.#next();
    if (token === 0xc0) return null;
    let length: number;
    if (token >= 0x90 && token < 0xa0) length = token & 0x0f;
    else if (token === 0xdc || token === 0xdd) length = this.#unsigned(token === 0xdc ? 2 : 4);
    else return undecodable(what);
    if (length > max) refuseLimit(what, length, max);
    return length <= this.#bytes.length - this.#at ? length : undecodable('more bytes');
  }

  /** @returns how many fields follow; none for nil, which Go reads as the zero struct */
  struct(): number {
    const token = this.#next();
    if (token >= 0x80 && token < 0x90) return token & 0x0f;
    if (token === 0xc0) return 0;
    if (token !== 0xde && token !== 0xdf) return undecodable('a struct');
    const length = this.#unsigned(token === 0xde ? 2 : 4);
    return length <= (this.#bytes.length - this.#at) / 2 ? length : undecodable('more bytes');
  }

  /**
   * Reads a key.
   *
   * @param expected the index of the field that comes next where Go wrote the struct
   * @returns the index of the field, -1 where it is not of the struct
   */
  key(table: FieldTable, expected: number): number {
    const encoded = table.encoded[expected];
    if (encoded !== undefined && this.#isNext(encoded)) {
      this.#at += encoded.length;
      return expected;
    }
    const key = this.take(this.#rawLength('a key'));
    // No field has a longer name, nor one that is not ASCII.
    return key.length < 0x20 ? table.indexOf(String.fromCharCode(...key)) : -1;
  }

  /** Passes one value of any type. */
  skip(): void {
    // How many values are still to come, on each level.
    const open: number[] = [1];
    while (open.length > 0) {
      const last = open.length - 1;
      if (open[last] === 0) {
        open.pop();
        continue;
      }
      open[last] = (open[last] as number) - 1;
      const { header, isContainer, length, each } = formOf(this.#next());
      const count = length + (header > 0 ? this.#unsigned(header) * each : 0);
      if (!isContainer) this.#pass(count);
      else if (open.push(count) > this.limits.maxDepth) refuseLimit('nesting', open.length, this.limits.maxDepth);
    }
  }

  #bytesOfNumbers(): Uint8Array {
    const length = this.array('bytes', this.limits.maxRequestBytes) ?? 0;
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i++) {
      const value = this.uint();
      bytes[i] = value < 0x100 ? value : undecodable('a number below 256');
    }
    return bytes;
  }

  #rawLength(what: string): number {
    const token = this.#next();
    if (token >= 0xa0 && token < 0xc0) return token & 0x1f;
    switch (token) {
      case 0xc4:
      case 0xd9:
        return this.#unsigned(1);
      case 0xc5:
      case 0xda:
        return this.#unsigned(2);
      case 0xc6:
      case 0xdb:
        return this.#unsigned(4);
      default:
        return undecodable(what);
    }
  }

  #next(): number {
    const token = this.#bytes[this.#at++];
    return token === undefined ? undecodable('more bytes') : token;
  }

  #unsigned(width: number): number {
    const start = this.#pass(width);
    let value = 0;
    for (let i = 0; i < width; i++) value = value * 256 + (this.#bytes[start + i] as number);
    return value;
  }

  #wide(high: number): number {
    const low = this.#unsigned(4);
    if (high >= HIGH_OF_2_53 || high < -HIGH_OF_2_53 || (high === -HIGH_OF_2_53 && low === 0)) {
      refuseWire('raft-number-range', 'a number is beyond 2^53 - 1', { high, low });
    }
    return high * TWO_32 + low;
  }

  #isNext(encoded: Uint8Array): boolean {
    const bytes = this.#bytes;
    const at = this.#at;
    for (let i = 0; i < encoded.length; i++) if (bytes[at + i] !== encoded[i]) return false;
    return true;
  }

  /** @returns where the next `length` bytes begin */
  #pass(length: number): number {
    const start = this.#at;
    if (length > this.#bytes.length - start) undecodable('more bytes');
    this.#at = start + length;
    return start;
  }
}

export function refuseLimit(what: string, length: number, max: number): never {
  refuseWire('raft-limit-exceeded', 'a message holds more than allowed', { what, length, max });
}

/** What follows a token: `header` bytes that count `each` bytes or values, and `length` more. */
interface Form {
  readonly isContainer: boolean;
  readonly header: number;
  readonly each: number;
  readonly length: number;
}

const FORMS: readonly (Form | undefined)[] = Array.from({ length: 256 }, (_, token) => madeForm(token));

/** Of the one byte that is no token. */
export function formOf(token: number): Form {
  return FORMS[token] ?? undecodable('a value');
}

function madeForm(token: number): Form | undefined {
  const leaf = (length: number, header = 0): Form => ({ isContainer: false, header, each: 1, length });
  const container = (length: number, each: number, header = 0): Form => ({ isContainer: true, header, each, length });
  if (token < 0x80 || token >= 0xe0 || token === 0xc0 || token === 0xc2 || token === 0xc3) return leaf(0);
  if (token < 0x90) return container(2 * (token & 0x0f), 2);
  if (token < 0xa0) return container(token & 0x0f, 1);
  if (token < 0xc0) return leaf(token & 0x1f);
  if (token >= 0xc4 && token <= 0xc6) return leaf(0, 1 << (token - 0xc4));
  // An extension has a byte that says its type.
  if (token >= 0xc7 && token <= 0xc9) return leaf(1, 1 << (token - 0xc7));
  if (token === 0xca || token === 0xcb) return leaf(token === 0xca ? 4 : 8);
  if (token >= 0xcc && token <= 0xd3) return leaf(1 << ((token - 0xcc) & 3));
  if (token >= 0xd4 && token <= 0xd8) return leaf(1 + (1 << (token - 0xd4)));
  if (token >= 0xd9 && token <= 0xdb) return leaf(0, 1 << (token - 0xd9));
  if (token >= 0xdc) return container(0, token < 0xde ? 1 : 2, token % 2 === 0 ? 2 : 4);
  return undefined;
}

function textOf(bytes: Uint8Array): string {
  try {
    return textFromUtf8(bytes);
  } catch {
    return undecodable('text in UTF-8');
  }
}
