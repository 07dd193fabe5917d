/**
 * A bounded cache of decoded public keys. Decoding and checking a key costs 0.1 ms natively and 3 ms in JavaScript,
 * and the keys of a validator set are used for every certificate of their epoch.
 */
import { assert } from '../base/assert.ts';
import { PUBLIC_KEY_BYTES } from './scheme.ts';

/** Room for the keys of eight epochs of the largest validator set. */
const MAX_DECODED_KEYS = 1024;

export class DecodedKeys<T> {
  readonly #decode: (bytes: Uint8Array) => T;
  readonly #limit: number;
  /** In the order of last use: a Map iterates in the order of insertion. */
  readonly #decoded = new Map<string, T>();

  /** @param decode throws on a malformed key, which is then not kept */
  constructor(decode: (bytes: Uint8Array) => T, limit: number = MAX_DECODED_KEYS) {
    assert(limit > 0, 'the cache holds at least one key', { limit });
    this.#decode = decode;
    this.#limit = limit;
  }

  get size(): number {
    return this.#decoded.size;
  }

  /** @throws whatever `decode` throws */
  decode(bytes: Uint8Array): T {
    if (bytes.length !== PUBLIC_KEY_BYTES) throw new RangeError('a public key has 48 bytes');
    const name = String.fromCharCode(...bytes);
    const known = this.#decoded.get(name);
    const key = known ?? this.#decode(bytes);
    if (known !== undefined) this.#decoded.delete(name);
    this.#decoded.set(name, key);
    if (this.#decoded.size > this.#limit) this.#decoded.delete(this.#decoded.keys().next().value as string);
    return key;
  }
}
