import { AssertionError } from './assert.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Short texts, as keys are, are encoded here and copied: 0.1 us, where an array of the encoder's making takes 0.5. */
const scratch = new Uint8Array(1024);
const MAX_BYTES_PER_UNIT = 3;

export function utf8(text: string): Uint8Array {
  if (text.length * MAX_BYTES_PER_UNIT > scratch.length) return encoder.encode(text);
  return scratch.slice(0, encoder.encodeInto(text, scratch).written);
}

/** @throws TypeError when the bytes are not well-formed UTF-8 */
export function textFromUtf8(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

/**
 * Memory for small arrays to share, no part of it given twice: what is in one stays. V8 takes about 1 us to give an array of
 * more than 64 bytes memory of its own, and holds smaller ones inside of its heap and moves each out, for 1 us too, when native
 * code reads it. But who keeps one such array keeps its slab.
 */
class Slab {
  readonly size: number;
  bytes: Uint8Array;
  used = 0;

  constructor(size: number) {
    this.size = size;
    this.bytes = new Uint8Array(size);
  }

  /** @returns from where on so many bytes are free */
  reserve(length: number): number {
    if (this.used + length > this.size) {
      this.bytes = new Uint8Array(this.size);
      this.used = 0;
    }
    return this.used;
  }
}

/** What is in it may be kept for long, by caches of some thousand rows: so little is kept with each. */
const slab = new Slab(4096);
const MAX_PART_BYTES = 1024;

/** That many zeros. */
function allot(length: number): Uint8Array {
  if (length > MAX_PART_BYTES) return new Uint8Array(length);
  const start = slab.reserve(length);
  slab.used += length;
  return slab.bytes.subarray(start, slab.used);
}

/** It may share its memory with others, and keeps up to 4 KiB of theirs. */
export function copyOf(bytes: Uint8Array): Uint8Array {
  if (bytes.length > MAX_PART_BYTES) return bytes.slice();
  const copy = allot(bytes.length);
  copy.set(bytes);
  return copy;
}

export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const joined = allot(length);
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}

const keys = new Slab(8192);

/** A key for the store, of bytes and texts: for what lives as long as a batch, since it keeps 8 KiB of others. */
export function storeKey(...parts: readonly (Uint8Array | string)[]): Uint8Array {
  let most = 0;
  for (const part of parts) most += typeof part === 'string' ? part.length * MAX_BYTES_PER_UNIT : part.length;
  if (most > keys.size) return concatBytes(...parts.map((part) => (typeof part === 'string' ? utf8(part) : part)));
  const start = keys.reserve(most);
  let end = start;
  for (const part of parts) {
    end += typeof part === 'string' ? writeUtf8(part, keys.bytes, end) : writeBytes(part, keys.bytes, end);
  }
  keys.used = end;
  return keys.bytes.subarray(start, end);
}

/** The same of a prefix and a text with one character a byte. @throws AssertionError where a character is no byte */
export function storeKeyOfBytes(prefix: Uint8Array, text: string): Uint8Array {
  const length = prefix.length + text.length;
  const start = length > keys.size ? 0 : keys.reserve(length);
  const target = length > keys.size ? new Uint8Array(length) : keys.bytes;
  let end = start + writeBytes(prefix, target, start);
  let units = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    units |= unit;
    target[end++] = unit;
  }
  if (units > 0xff) throw new AssertionError('each character of a key is a byte', { units });
  if (target === keys.bytes) keys.used = end;
  return target.subarray(start, end);
}

/** @returns how many bytes were written */
function writeUtf8(text: string, target: Uint8Array, offset: number): number {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit >= 0x80) return encoder.encodeInto(text, target.subarray(offset)).written;
    target[offset + i] = unit;
  }
  return text.length;
}

/** Tags, numbers and digests: a loop is shorter than the call of `set`. @returns how many bytes were written */
function writeBytes(bytes: Uint8Array, target: Uint8Array, offset: number): number {
  if (bytes.length > MAX_LOOPED_BYTES) target.set(bytes, offset);
  else for (let i = 0; i < bytes.length; i++) target[offset + i] = bytes[i] as number;
  return bytes.length;
}

const MAX_LOOPED_BYTES = 64;

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

export function startsWith(bytes: Uint8Array, prefix: Uint8Array): boolean {
  for (let i = 0; i < prefix.length; i++) if (bytes[i] !== prefix[i]) return false;
  return true;
}

/** Lexicographic order, as LevelDB orders keys. Negative when a comes first. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

const HEX: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

export function toHex(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i++) text += HEX[bytes[i] as number] as string;
  return text;
}

/** @returns undefined unless the text is an even number of lowercase hex digits */
export function fromHex(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0) return undefined;
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) {
    const byte = 16 * hexDigit(text.charCodeAt(2 * i)) + hexDigit(text.charCodeAt(2 * i + 1));
    if (Number.isNaN(byte)) return undefined;
    bytes[i] = byte;
  }
  return bytes;
}

/** @returns NaN for what is no lowercase hex digit */
function hexDigit(code: number): number {
  if (code >= 48 && code <= 57) return code - 48;
  return code >= 97 && code <= 102 ? code - 87 : NaN;
}
