/**
 * Canonical binary encoding: MessagePack tuples of fixed order.
 *
 * MessagePack alone has many encodings of one value (wide integers, extensions, map order). So a value has a `Shape`,
 * which bounds every size and knows no floats and no maps, and is written in the shortest form; a reader that knows the
 * shape takes the bytes in one pass and refuses every other form where it stands. One value, one encoding, or a refusal.
 */
import { AssertionError } from './assert.ts';
import type { Hash } from './hash.ts';
import { expected, Reader, ShapeError } from './messagepack-reader.ts';
import { Writer } from './messagepack-writer.ts';
import { ok, refuse, type Result } from './result.ts';

/** How a value of type T travels. */
export interface Shape<T> {
  write(to: Writer, value: T): void;
  /** @throws ShapeError, which only `Codec.decode` catches */
  read(from: Reader): T;
}

export interface Codec<T> {
  readonly maxBytes: number;
  readonly encode: (value: T) => Uint8Array;
  /** Refusals: `too-large`, `undecodable`, `non-canonical`. Bytes in the value are views of those given. */
  readonly decode: (bytes: Uint8Array) => Result<T>;
  /**
   * Bytes that `encode` of this program made and that nobody else could change, such as the state that it executes on.
   *
   * @throws AssertionError when they do not decode
   */
  readonly decodeOwn: (bytes: Uint8Array) => T;
}

const writer = new Writer();

/** @param maxBytes the largest encoding accepted, which also bounds the work of refusing one */
export function codec<T>(shape: Shape<T>, maxBytes: number): Codec<T> {
  const read = (bytes: Uint8Array): T => {
    const reader = new Reader(bytes);
    const value = shape.read(reader);
    reader.end();
    return value;
  };
  return {
    maxBytes,
    encode: (value) => writer.encode((to) => shape.write(to, value)),
    decode(bytes) {
      if (bytes.length > maxBytes) {
        return refuse('too-large', 'the encoding is larger than allowed', { bytes: bytes.length, maxBytes });
      }
      try {
        return ok(read(bytes));
      } catch (error) {
        return refusalOf(error, bytes.length);
      }
    },
    decodeOwn(bytes) {
      try {
        return read(bytes);
      } catch (error) {
        throw new AssertionError('own bytes decode', { reason: reasonOf(error), bytes: bytes.length });
      }
    },
  };
}

function refusalOf(error: unknown, bytes: number): Result<never> {
  if (!(error instanceof ShapeError)) throw error;
  return error.code === 'undecodable'
    ? refuse('undecodable', 'the bytes do not decode', { reason: error.message, bytes })
    : refuse('non-canonical', 'the bytes are not the canonical encoding of their value', {
        reason: error.message,
        bytes,
      });
}

function reasonOf(error: unknown): string {
  if (!(error instanceof ShapeError)) throw error;
  return error.message;
}

/** A whole number in [0, max]. */
export function uint(max: number = Number.MAX_SAFE_INTEGER): Shape<number> {
  return {
    write: (to, value) => to.uint(value),
    read(from) {
      const value = from.uint();
      return value <= max ? value : expected(`a whole number up to ${max}`);
    },
  };
}

/** A whole number in [0, 2^63), as bigint; nine bytes. */
export const uint64: Shape<bigint> = {
  write: (to, value) => to.uint64(value),
  read: (from) => from.uint64(),
};

export const bool: Shape<boolean> = {
  write: (to, value) => to.bool(value),
  read: (from) => from.bool(),
};

/** Well-formed text of at most `maxLength` UTF-16 units. */
export function text(maxLength: number): Shape<string> {
  return {
    write: (to, value) => to.text(value),
    read: (from) => from.text(maxLength),
  };
}

/** One of a fixed list of texts, travelling as its index. */
export function oneOf<T extends string>(choices: readonly T[]): Shape<T> {
  return {
    write: (to, value) => to.uint(choices.indexOf(value)),
    read: (from) => choices[from.uint()] ?? expected(choices.join(' or ')),
  };
}

export function bytes(maxLength: number, minLength = 0): Shape<Uint8Array> {
  return {
    write: (to, value) => to.bytes(value),
    read: (from) => from.bytes(minLength, maxLength),
  };
}

export function fixedBytes(length: number): Shape<Uint8Array> {
  return bytes(length, length);
}

/** 32 bytes on the wire, 64 hex digits in memory. */
export const hash: Shape<Hash> = {
  write: (to, value) => to.hash(value),
  read: (from) => from.hash(),
};

export function list<T>(item: Shape<T>, maxItems: number): Shape<readonly T[]> {
  return {
    write(to, values) {
      to.list(values.length);
      for (const value of values) item.write(to, value);
    },
    read(from) {
      const length = from.list(maxItems);
      const values: T[] = [];
      for (let i = 0; i < length; i++) values.push(item.read(from));
      return values;
    },
  };
}

export function nullable<T>(shape: Shape<T>): Shape<T | null> {
  return {
    write(to, value) {
      if (value === null) to.nil();
      else shape.write(to, value);
    },
    read: (from) => (from.nil() ? null : shape.read(from)),
  };
}

/** A T that travels as a W. What `fromWire` makes of different values is different, or it throws by `expected`. */
export function mapped<T, W>(shape: Shape<W>, toWire: (value: T) => W, fromWire: (wire: W) => T): Shape<T> {
  return {
    write: (to, value) => shape.write(to, toWire(value)),
    read: (from) => fromWire(shape.read(from)),
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

  /** @param given first fields that do not travel: they say which of several objects this is */
  constructor(fields: Fields<T>, given: Readonly<Record<string, unknown>> = {}) {
    this.#fields = fields;
    this.#names = Object.keys(fields) as (keyof T & string)[];
    this.#shapes = Object.values(fields);
    const names = [...Object.keys(given), ...this.#names];
    const blank = JSON.parse(`{${names.map((name) => `${JSON.stringify(name)}:null`).join(',')}}`) as object;
    this.#blank = { ...blank, ...given };
  }

  /** The same with first fields that do not travel. */
  with<const G extends Readonly<Record<string, unknown>>>(given: G): Shape<T & G> {
    return new Struct(this.#fields, given) as Shape<T> as Shape<T & G>;
  }

  write(to: Writer, value: T): void {
    const names = this.#names;
    const shapes = this.#shapes;
    to.list(names.length);
    for (let i = 0; i < names.length; i++) (shapes[i] as Shape<unknown>).write(to, value[names[i] as keyof T]);
  }

  read(from: Reader): T {
    const names = this.#names;
    const shapes = this.#shapes;
    if (from.list(names.length) !== names.length) return expected(`a tuple of ${names.length}`);
    const value: Record<string, unknown> = { ...this.#blank };
    for (let i = 0; i < names.length; i++) value[names[i] as string] = (shapes[i] as Shape<unknown>).read(from);
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
  const shapes = names.map((name) => kinds[name].with({ kind: name }) as Shape<unknown> as Shape<T>);
  return alternatives(shapes, ({ kind }) => names.indexOf(kind));
}

/**
 * One of several shapes, as `[its place, body]`; the order is part of the format.
 *
 * @param placeOf the shape of a value; no two shapes read the same value
 */
export function alternatives<T>(shapes: readonly Shape<T>[], placeOf: (value: T) => number): Shape<T> {
  return {
    write(to, value) {
      const place = placeOf(value);
      to.list(2);
      to.uint(place);
      shapes[place]?.write(to, value);
    },
    read(from) {
      if (from.list(2) !== 2) return expected('a kind and its body');
      const shape = shapes[from.uint()];
      return (shape ?? expected(`one of ${shapes.length} kinds`)).read(from);
    },
  };
}
