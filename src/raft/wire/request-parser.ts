/**
 * Requests out of the bytes of a connection, in whatever pieces they come. Whoever reads asks for the next one when it can
 * take it, and gives more bytes when there is none.
 */
import { assert } from '../../base/assert.ts';
import { ok, refuse, type Refusal, type Result } from '../../base/result.ts';
import type { RaftRequest } from '../messages.ts';
import { GatheredBytes } from './gathered-bytes.ts';
import { DEFAULT_WIRE_LIMITS, WireError, type WireLimits } from './limits.ts';
import { ValueScanner } from './msgpack-scanner.ts';
import { decodeRequest, requestKindOf, type RequestKind } from './request-codec.ts';

export type Parsed =
  /** `bytes`: how many it took. */
  | { readonly kind: 'request'; readonly request: RaftRequest; readonly bytes: number }
  /** A snapshot that nobody can take; its bytes follow all the same, and then it is answered with an error. */
  | { readonly kind: 'unsupported'; readonly refusal: Refusal; readonly sizeBytes: number }
  /** Bytes of the snapshot of the last request, of which `left` are still to come. */
  | { readonly kind: 'body'; readonly bytes: Uint8Array; readonly left: number };

export class RequestParser {
  readonly #limits: WireLimits;
  readonly #scanner: ValueScanner;
  #gathered = new GatheredBytes();
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  #kind: RequestKind | undefined;
  #bodyLeft = 0;
  #failure: Result<never> | undefined;

  constructor(limits: WireLimits = DEFAULT_WIRE_LIMITS) {
    this.#limits = limits;
    this.#scanner = new ValueScanner(limits.maxRequestBytes, limits.maxDepth);
  }

  /** Bytes are kept of a request that has begun and not ended. */
  get gatheredBytes(): number {
    return this.#gathered.length;
  }

  /** Whether a connection that ends here breaks off a request. */
  get isWithinRequest(): boolean {
    return this.#kind !== undefined || this.#bodyLeft > 0;
  }

  /** Takes more bytes, once `next` has none; they belong to the parser. */
  push(bytes: Uint8Array): void {
    assert(this.#at === this.#bytes.length, 'what came before is parsed', { left: this.#bytes.length - this.#at });
    this.#bytes = bytes;
    this.#at = 0;
  }

  /**
   * @returns undefined when more bytes are needed; once it refused, the connection is of no use and the refusal stays.
   * Refusals: `raft-rpc-unknown`, and those of `decodeRequest`
   */
  next(): Result<Parsed> | undefined {
    if (this.#failure !== undefined) return this.#failure;
    if (this.#at === this.#bytes.length) return undefined;
    if (this.#bodyLeft > 0) return ok(this.#body());
    const type = this.#bytes[this.#at] as number;
    if (this.#kind === undefined) {
      this.#kind = requestKindOf(type);
      if (this.#kind === undefined) return this.#fail(refuse('raft-rpc-unknown', 'no request has this type', { type }));
      this.#at++;
    }
    return this.#request(this.#kind);
  }

  #body(): Parsed {
    const bytes = this.#bytes.subarray(this.#at, this.#at + this.#bodyLeft);
    this.#at += bytes.length;
    this.#bodyLeft -= bytes.length;
    return { kind: 'body', bytes, left: this.#bodyLeft };
  }

  #request(kind: RequestKind): Result<Parsed> | undefined {
    const start = this.#at;
    const end = this.#end(start);
    if (typeof end === 'object') return this.#fail(end);
    this.#at = end ?? this.#bytes.length;
    const piece = this.#bytes.subarray(start, this.#at);
    if (end === undefined) {
      this.#gathered.add(piece);
      return undefined;
    }
    this.#kind = undefined;
    const body = this.#gathered.takeWith(piece);
    return this.#parsed(decodeRequest(kind, body, this.#limits), body.length);
  }

  #end(start: number): number | undefined | Result<never> {
    try {
      return this.#scanner.scan(this.#bytes, start);
    } catch (error) {
      if (error instanceof WireError) return { ok: false, refusal: error.refusal };
      throw error;
    }
  }

  #parsed(decoded: Result<RaftRequest>, bytes: number): Result<Parsed> {
    if (decoded.ok) {
      const request = decoded.value;
      if (request.kind === 'installSnapshot') this.#bodyLeft = request.sizeBytes;
      return ok({ kind: 'request', request, bytes });
    }
    const { refusal } = decoded;
    const sizeBytes = refusal.details['sizeBytes'];
    if (refusal.code !== 'raft-snapshot-version' || typeof sizeBytes !== 'number') return this.#fail(decoded);
    this.#bodyLeft = sizeBytes;
    return ok({ kind: 'unsupported', refusal, sizeBytes });
  }

  #fail(refused: Result<never>): Result<never> {
    this.#failure = refused;
    this.#gathered = new GatheredBytes();
    this.#bytes = new Uint8Array(0);
    this.#at = 0;
    return refused;
  }
}
