/** Responses out of the bytes of a connection. Whoever made the requests knows which of them is answered next. */
import { assert } from '../../base/assert.ts';
import type { Result } from '../../base/result.ts';
import { GatheredBytes } from './gathered-bytes.ts';
import { DEFAULT_WIRE_LIMITS, WireError, type WireLimits } from './limits.ts';
import { ValueScanner } from './msgpack-scanner.ts';
import type { RequestKind } from './request-codec.ts';
import { decodeResponse, type WireResponse } from './response-codec.ts';

/** The error text and the struct. */
const VALUES = 2;

export class ResponseParser {
  readonly #limits: WireLimits;
  readonly #scanner: ValueScanner;
  readonly #gathered = new GatheredBytes();
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  #valuesLeft = VALUES;

  constructor(limits: WireLimits = DEFAULT_WIRE_LIMITS) {
    this.#limits = limits;
    this.#scanner = new ValueScanner(limits.maxResponseBytes, limits.maxDepth);
  }

  /** Whether there are bytes that `next` was not asked for. */
  get hasBytes(): boolean {
    return this.#at < this.#bytes.length;
  }

  /** Takes more bytes, once `next` has none; they belong to the parser. */
  push(bytes: Uint8Array): void {
    assert(!this.hasBytes, 'what came before is parsed', { left: this.#bytes.length - this.#at });
    this.#bytes = bytes;
    this.#at = 0;
  }

  /**
   * @param kind of the oldest request that is not answered
   * @returns undefined when more bytes are needed; after a refusal the connection is of no use. Refusals as of
   * `decodeResponse`
   */
  next(kind: RequestKind): Result<WireResponse> | undefined {
    const start = this.#at;
    try {
      while (this.#valuesLeft > 0) {
        const end = this.#scanner.scan(this.#bytes, this.#at);
        this.#at = end ?? this.#bytes.length;
        if (end === undefined) break;
        this.#valuesLeft--;
      }
    } catch (error) {
      if (error instanceof WireError) return { ok: false, refusal: error.refusal };
      throw error;
    }
    const piece = this.#bytes.subarray(start, this.#at);
    if (this.#valuesLeft > 0) {
      if (piece.length > 0) this.#gathered.add(piece);
      return undefined;
    }
    this.#valuesLeft = VALUES;
    return decodeResponse(kind, this.#gathered.takeWith(piece), this.#limits);
  }
}
