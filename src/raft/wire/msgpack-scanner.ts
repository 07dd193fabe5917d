/**
 * Finds where a MessagePack value ends, in bytes that come in any pieces. Nothing on the wire says how long a message is;
 * it is over where its outermost value is. Each byte of structure is looked at once, the bytes of texts not at all, and
 * what a length claims costs nothing.
 */
import { formOf, refuseLimit } from './msgpack-reader.ts';

export class ValueScanner {
  readonly #maxDepth: number;
  readonly #maxBytes: number;
  /** How many values are still to come, on each level. */
  #open: number[] = [1];
  #bytes = 0;
  /** Bytes of a length that is being read. */
  #headerLeft = 0;
  #header = 0;
  #token = 0;
  /** Bytes without structure that are to be passed. */
  #passLeft = 0;

  /** @param maxBytes of the value */
  constructor(maxBytes: number, maxDepth: number) {
    this.#maxBytes = maxBytes;
    this.#maxDepth = maxDepth;
  }

  /** Of the value, so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Looks at the next bytes.
   *
   * @returns where in them the value ends, and the next scan begins with another value; undefined while it goes on
   * @throws WireError `raft-limit-exceeded`, `undecodable`
   */
  scan(bytes: Uint8Array, from: number): number | undefined {
    let at = from;
    while (at < bytes.length) {
      if (this.#passLeft > 0) {
        const passed = Math.min(this.#passLeft, bytes.length - at);
        this.#passLeft -= passed;
        at += passed;
      } else if (this.#headerLeft > 0) {
        this.#header = this.#header * 256 + (bytes[at++] as number);
        if (--this.#headerLeft === 0) this.#begin(this.#header);
      } else {
        this.#token = bytes[at++] as number;
        this.#headerLeft = formOf(this.#token).header;
        this.#header = 0;
        if (this.#headerLeft === 0) this.#begin(0);
      }
      if (this.#passLeft === 0 && this.#headerLeft === 0 && this.#isOver()) {
        this.#count(at - from);
        this.#bytes = 0;
        this.#open = [1];
        return at;
      }
    }
    this.#count(at - from);
    return undefined;
  }

  /** The head of a value was read. */
  #begin(header: number): void {
    const { isContainer, length, each } = formOf(this.#token);
    const count = length + header * each;
    const last = this.#open.length - 1;
    this.#open[last] = (this.#open[last] as number) - 1;
    if (!isContainer) this.#passLeft = count;
    else if (this.#open.push(count) > this.#maxDepth + 1) refuseLimit('nesting', this.#open.length, this.#maxDepth);
    // Each value within a value takes a byte at least.
    if (count > this.#maxBytes) refuseLimit('a message', count, this.#maxBytes);
  }

  #isOver(): boolean {
    while (this.#open.at(-1) === 0) this.#open.pop();
    return this.#open.length === 0;
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    const announced = this.#bytes + this.#passLeft;
    if (announced > this.#maxBytes) refuseLimit('a message', announced, this.#maxBytes);
  }
}
