/**
 * Canonical binary encoding: MessagePack tuples of fixed order, through msgpackr.
 *
 * MessagePack alone has many encodings of one value (wide integers, extensions, map order), and msgpackr's decoder
 * accepts them all. So a value has a `Shape`, which bounds every size and knows no floats and no maps; bytes from
 * outside are seen to be plain (`plain-messagepack.ts`), decoded, checked against the shape, encoded again and compared.
 * One value, one encoding, or a refusal.
 */
import { Packr } from 'msgpackr';
import { AssertionError } from './assert.ts';
import { equalBytes } from './bytes.ts';
import { hashFromBytes, hashToBytes, type Hash } from './hash.ts';
import { whyNotPlain } from './plain-messagepack.ts';
import { ok, refuse, type Result } from './result.ts';

/** How a value of type T travels. `fromWire` throws `ShapeError`; only `Codec.decode` catches it. */
export interface Shape<T> {
  toWire(value: T): unknown;
  fromWire(wire: unknown): T;
}

export interface Codec<T> {
  readonly maxBytes: number;
  readonly encode: (value: T) => Uint8Array;
  /** Refusals: `too-large`, `undecodable`, `non-canonical`. */
  readonly decode: (bytes: Uint8Array) => Result<T>;
  /**
   * Bytes that `encode` of this program made and that nobody else could change, such as the state that it executes on:
   * not encoded again to compare, which halves the cost.
   *
   * @throws AssertionError when they do not decode
   */
  readonly decodeOwn: (bytes: Uint8Array) => T;
}

class ShapeError extends Error {}

function expected(what: string): never {
  throw new ShapeError(what);
}

const packr = new Packr({ useRecords: false, variableMapSize: true, int64AsType: 'bigint' });

/** @param maxBytes the largest encoding accepted, which also bounds the work of refusing one */
export function codec<T>(shape: Shape<T>, maxBytes: number): Codec<T> {
  return {
    maxBytes,
    // A copy: msgpackr packs into a shared pool, which a short encoding kept for long would hold in memory.
    encode: (value) => new Uint8Array(packr.pack(shape.toWire(value))),
    decode(bytes) {
      if (bytes.length > maxBytes) {
        return refuse('too-large', 'the encoding is larger than allowed', { bytes: bytes.length, maxBytes });
      }
      const reason = whyNotPlain(bytes);
      if (reason !== undefined) return refuse('undecodable', 'the bytes do not decode', { reason });
      let value: T;
      try {
        // A view of its own: msgpackr hangs a DataView on the array that it reads, and would keep it there.
        value = shape.fromWire(packr.unpack(bytes.subarray()));
      } catch (error) {
        return refuse('undecodable', 'the bytes do not decode', { reason: reasonOf(error) });
      }
      if (!equalBytes(packr.pack(shape.toWire(value)), bytes)) {
        return refuse('non-canonical', 'the bytes are not the canonical encoding of their value', {
          bytes: bytes.length,
        });
      }
      return ok(value);
    },
    decodeOwn(bytes) {
      try {
        return shape.fromWire(packr.unpack(bytes.subarray()));
      } catch (error) {
        throw new AssertionError('own bytes decode', { reason: reasonOf(error), bytes: bytes.length });
      }
    },
  };
}

function reasonOf(error: unknown): string {
  return error instanceof ShapeError ? error.message : 'not MessagePack';
}

/** A whole number in [0, max]. */
export function uint(max: number = Number.MAX_SAFE_INTEGER): Shape<number> {
  return {
    toWire: (value) => value,
    fromWire: (wire) =>
      typeof wire === 'number' && Number.isSafeInteger(wire) && wire >= 0 && wire <= max
        ? wire
        : expected(`a whole number up to ${max}`),
  };
}

/** A whole number in [0, 2^63), as bigint; nine bytes. */
export const uint64: Shape<bigint> = {
  toWire: (value) => value,
  fromWire: (wire) =>
    typeof wire === 'bigint' && wire >= 0n && wire < 1n << 63n ? wire : expected('a whole number below 2^63'),
};

export const bool: Shape<boolean> = {
  toWire: (value) => value,
  fromWire: (wire) => (typeof wire === 'boolean' ? wire : expected('a boolean')),
};

/** Well-formed text of at most `maxLength` UTF-16 units. */
export function text(maxLength: number): Shape<string> {
  return {
    toWire: (value) => value,
    fromWire: (wire) =>
      typeof wire === 'string' && wire.length <= maxLength && wire.isWellFormed()
        ? wire
        : expected(`text of at most ${maxLength}`),
  };
}

/** One of a fixed list of texts, travelling as its index. */
export function oneOf<T extends string>(choices: readonly T[]): Shape<T> {
  return {
    toWire: (value) => choices.indexOf(value),
    fromWire: (wire) => (typeof wire === 'number' ? choices[wire] : undefined) ?? expected(choices.join(' or ')),
  };
}

export function bytes(maxLength: number, minLength = 0): Shape<Uint8Array> {
  return {
    toWire: (value) => value,
    fromWire: (wire) =>
      wire instanceof Uint8Array && wire.length >= minLength && wire.length <= maxLength
        ? plainBytes(wire)
        : expected(`${minLength} to ${maxLength} bytes`),
  };
}

/** Where a Buffer was given to decode, its parts are Buffers, which nothing else here is. */
function plainBytes(bytes: Uint8Array): Uint8Array {
  return bytes.constructor === Uint8Array ? bytes : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}

export function fixedBytes(length: number): Shape<Uint8Array> {
  return bytes(length, length);
}

/** 32 bytes on the wire, 64 hex digits in memory. */
export const hash: Shape<Hash> = {
  toWire: hashToBytes,
  fromWire: (wire) =>
    wire instanceof Uint8Array && wire.length === 32 ? hashFromBytes(wire) : expected('a hash of 32 bytes'),
};

export function list<T>(item: Shape<T>, maxItems: number): Shape<readonly T[]> {
  return {
    toWire: (values) => values.map((value) => item.toWire(value)),
    fromWire: (wire) =>
      Array.isArray(wire) && wire.length <= maxItems
        ? wire.map((value) => item.fromWire(value))
        : expected(`a list of at most ${maxItems}`),
  };
}

export function nullable<T>(shape: Shape<T>): Shape<T | null> {
  return {
    toWire: (value) => (value === null ? null : shape.toWire(value)),
    fromWire: (wire) => (wire === null ? null : shape.fromWire(wire)),
  };
}

type Fields<T> = { readonly [K in keyof T]-?: Shape<T[K]> };

/** The shape of an object: a tuple of its fields, in the order in which they are written: it is part of the format. */
export class Struct<T extends object> implements Shape<T> {
  readonly #fields: Fields<T>;
  readonly #names: readonly (keyof T & string)[];
  readonly #shapes: readonly Shape<unknown>[];
  /**
   * An object with every field in place, to be copied and filled in. An object that grows field by field costs V8 six
   * times the memory and three times the time; it is what a decoder spends most on.
   */
  readonly #blank: Readonly<Record<string, unknown>>;

  /** @param kind a first field that does not travel: which of a union's objects this is */
  constructor(fields: Fields<T>, kind?: string) {
    this.#fields = fields;
    this.#names = Object.keys(fields) as (keyof T & string)[];
    this.#shapes = Object.values(fields);
    const names = kind === undefined ? this.#names : ['kind', ...this.#names];
    const blank = JSON.parse(`{${names.map((name) => `${JSON.stringify(name)}:null`).join(',')}}`) as object;
    this.#blank = kind === undefined ? { ...blank } : { ...blank, kind };
  }

  /** The same with a first field `kind`. */
  ofKind<K extends string>(kind: K): Shape<T & { readonly kind: K }> {
    return new Struct(this.#fields, kind) as Shape<T> as Shape<T & { readonly kind: K }>;
  }

  toWire(value: T): unknown[] {
    const wire = new Array<unknown>(this.#names.length);
    for (let i = 0; i < wire.length; i++)
      wire[i] = (this.#shapes[i] as Shape<unknown>).toWire(value[this.#names[i] as keyof T]);
    return wire;
  }

  fromWire(wire: unknown): T {
    const names = this.#names;
    if (!Array.isArray(wire) || wire.length !== names.length) return expected(`a tuple of ${names.length}`);
    const value: Record<string, unknown> = { ...this.#blank };
    for (let i = 0; i < names.length; i++) {
      value[names[i] as string] = (this.#shapes[i] as Shape<unknown>).fromWire(wire[i]);
    }
    return value as T;
  }
}

export function struct<T extends object>(fields: Fields<T>): Struct<T> {
  return new Struct(fields);
}

/** A union told apart by its `kind`, as `[index of the kind, body]`; the order of the kinds is part of the format. */
export function union<T extends { readonly kind: string }>(kinds: {
  readonly [K in T['kind']]: Struct<Omit<Extract<T, { kind: K }>, 'kind'>>;
}): Shape<T> {
  const names = Object.keys(kinds) as T['kind'][];
  const shapes = names.map((name) => kinds[name].ofKind(name) as Shape<unknown>);
  return {
    toWire: (value) => {
      const index = names.indexOf(value.kind);
      return [index, shapes[index]?.toWire(value)];
    },
    fromWire(wire) {
      if (!Array.isArray(wire) || wire.length !== 2) return expected('a kind and its body');
      const shape = typeof wire[0] === 'number' ? shapes[wire[0]] : undefined;
      return (shape ?? expected(names.join(' or '))).fromWire(wire[1]) as T;
    },
  };
}
