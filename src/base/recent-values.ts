import { copyOf } from './bytes.ts';

/**
 * Values that were used lately, by their keys, bounded in number and in bytes. Two generations, of which the older is let go
 * when the newer is full: to forget costs nothing, and what was asked for since the last time stays.
 *
 * It takes copies and gives copies, and has them in large pieces of memory of its own, which it uses again. A value that
 * stays while a million others come and go keeps nothing of theirs, and leaves no hole in the heap when it goes.
 */
export class RecentValues {
  readonly #maxSize: number;
  #newer = new Generation();
  #older = new Generation();

  /** @param max that are kept, of 256 bytes each in the mean: of larger ones fewer, and none above 64 KiB */
  constructor(max: number) {
    this.#maxSize = Math.ceil(max / 2);
  }

  /** @returns undefined: not known; null: known to be none */
  get(key: string): Uint8Array | null | undefined {
    const newer = this.#newer.get(key);
    if (newer !== undefined) return newer;
    const older = this.#older.get(key);
    if (older !== undefined) this.set(key, older);
    return older;
  }

  set(key: string, value: Uint8Array | null): void {
    if (this.#newer.size >= this.#maxSize || this.#newer.bytes >= this.#maxSize * MEAN_VALUE_BYTES) {
      [this.#newer, this.#older] = [this.#older, this.#newer];
      this.#newer.clear();
    }
    if (value === null || value.length <= MAX_VALUE_BYTES) this.#newer.set(key, value);
    else this.#forget(key);
  }

  /** Of a key that is known; of another nothing is known after it either. */
  replace(key: string, value: Uint8Array | null): void {
    if (this.#newer.has(key) || this.#older.has(key)) this.set(key, value);
  }

  #forget(key: string): void {
    this.#newer.forget(key);
    this.#older.forget(key);
  }
}

const MEAN_VALUE_BYTES = 256;
const MAX_VALUE_BYTES = 0xff_ff;
const CHUNK_BITS = 18;
const CHUNK_BYTES = 2 ** CHUNK_BITS;
const LENGTH_BYTES = 2;
/** A value takes a multiple of this, so that one of about the same length has room in its place. */
const GRAIN_BYTES = 32;
const NONE = -1;

/** Grows until it is cleared, and then again, in the same memory. */
class Generation {
  /** Of a value: its chunk in the upper bits, and where it begins there, with its length, in the lower ones. */
  readonly #places = new Map<string, number>();
  readonly #chunks: DataView<ArrayBuffer>[] = [];
  #end = 0;

  get size(): number {
    return this.#places.size;
  }

  /** Those included that values had before they were replaced by longer ones. */
  get bytes(): number {
    return this.#end;
  }

  has(key: string): boolean {
    return this.#places.has(key);
  }

  get(key: string): Uint8Array | null | undefined {
    const place = this.#places.get(key);
    if (place === undefined) return undefined;
    return place === NONE ? null : copyOf(this.#partAt(place, this.#lengthAt(place)));
  }

  set(key: string, value: Uint8Array | null): void {
    if (value === null) {
      this.#places.set(key, NONE);
      return;
    }
    const known = this.#places.get(key) ?? NONE;
    const place = this.#hasRoom(known, value.length) ? known : this.#reserve(value.length);
    this.#chunkAt(place).setUint16(offsetOf(place), value.length);
    this.#partAt(place, value.length).set(value);
    this.#places.set(key, place);
  }

  forget(key: string): void {
    this.#places.delete(key);
  }

  clear(): void {
    this.#places.clear();
    this.#end = 0;
  }

  #hasRoom(place: number, length: number): boolean {
    return place !== NONE && room(length) <= room(this.#lengthAt(place));
  }

  #reserve(length: number): number {
    const left = CHUNK_BYTES - offsetOf(this.#end);
    const place = room(length) <= left ? this.#end : this.#end + left;
    this.#end = place + room(length);
    if (this.#chunks.length <= place >> CHUNK_BITS) this.#chunks.push(new DataView(new ArrayBuffer(CHUNK_BYTES)));
    return place;
  }

  #lengthAt(place: number): number {
    return this.#chunkAt(place).getUint16(offsetOf(place));
  }

  #partAt(place: number, length: number): Uint8Array {
    return new Uint8Array(this.#chunkAt(place).buffer, offsetOf(place) + LENGTH_BYTES, length);
  }

  #chunkAt(place: number): DataView<ArrayBuffer> {
    return this.#chunks[place >> CHUNK_BITS] as DataView<ArrayBuffer>;
  }
}

function offsetOf(place: number): number {
  return place & (CHUNK_BYTES - 1);
}

/** What a value takes with its length. */
function room(length: number): number {
  return (LENGTH_BYTES + length + GRAIN_BYTES - 1) & -GRAIN_BYTES;
}
