/**
 * `/masa/snapshot/1.0.0`: snapshots of the state for a node that has nothing yet. A server says which it has, and gives
 * each in parts: the manifest, and the chunks one by one, as they lie in its files. Whoever asked checks every part
 * against the genesis; what a server says of itself only helps to choose whom to ask.
 */
import { codec, hash, list, struct, uint, union, type Codec } from '../base/codec.ts';
import { codedError, ok, type Result } from '../base/result.ts';
import { MAX_CHUNK_BYTES, MAX_SNAPSHOT_DEPTH } from '../ledger/snapshot-chunk.ts';
import { MAX_MANIFEST_BYTES } from '../ledger/snapshot-manifest.ts';
import type { OfferedSnapshot, SnapshotName, SnapshotOffer } from '../ledger/snapshot-offer.ts';
import { exchange, ExchangeServer, type ExchangeLimits } from './exchange.ts';
import type { Host, OpenOptions, PeerTarget } from './host.ts';
import type { RefusalListener } from './limits.ts';

export const SNAPSHOT_PROTOCOL = '/masa/snapshot/1.0.0';

/** Snapshots that a server names, the newest first. */
export const MAX_OFFERED_SNAPSHOTS = 16;
export type SnapshotRequest =
  | { readonly kind: 'offer' }
  | { readonly kind: 'manifest'; readonly of: SnapshotName }
  | { readonly kind: 'chunk'; readonly of: SnapshotName; readonly index: number };

const nameFields = { height: uint(), stateRoot: hash, depth: uint(MAX_SNAPSHOT_DEPTH) };
const nameShape = struct<SnapshotName>(nameFields);

export const snapshotRequestCodec: Codec<SnapshotRequest> = codec(
  union<SnapshotRequest>({
    offer: struct({}),
    manifest: struct({ of: nameShape }),
    chunk: struct({ of: nameShape, index: uint(2 ** MAX_SNAPSHOT_DEPTH - 1) }),
  }),
  256,
);

export const snapshotOfferCodec: Codec<SnapshotOffer> = codec(
  struct<SnapshotOffer>({
    headHeight: uint(),
    oldestBlock: uint(),
    snapshots: list(struct<OfferedSnapshot>({ ...nameFields, bytes: uint() }), MAX_OFFERED_SNAPSHOTS),
  }),
  4 << 10,
);

const BOUNDS = {
  maxRequestBytes: snapshotRequestCodec.maxBytes,
  maxAnswerBytes: Math.max(MAX_MANIFEST_BYTES, MAX_CHUNK_BYTES),
};

/** The state of a ledger of 10^6 nodes is some hundred chunks: a joining node is served in seconds, and a greedy one waits. */
export const DEFAULT_SNAPSHOT_LIMITS: Partial<ExchangeLimits> = {
  answerDeadlineMs: 30_000,
  maxStreamsPerPeer: 8,
  maxStreams: 16,
  requests: { perPeerPerSecond: 64, inAllPerSecond: 256 },
};

/** Where a server's snapshots are: each part is read when it is asked for, and is gone when the snapshot is. */
export interface SnapshotSource {
  offer(): Promise<SnapshotOffer>;
  /** Refusals: `snapshot-gone`. */
  manifest(of: SnapshotName): Promise<Result<Uint8Array>>;
  /** Refusals: `snapshot-gone`, `chunk-out-of-range`. */
  chunk(of: SnapshotName, index: number): Promise<Result<Uint8Array>>;
}

export interface SnapshotServerOptions {
  readonly host: Host;
  readonly source: SnapshotSource;
  readonly limits?: Partial<ExchangeLimits>;
  readonly onRefused?: RefusalListener;
}

export function snapshotServer({ host, source, limits, onRefused }: SnapshotServerOptions): ExchangeServer {
  const handler = (_peer: string, bytes: Uint8Array) => answerSnapshotRequest(source, bytes);
  const all = { ...DEFAULT_SNAPSHOT_LIMITS, ...limits };
  return new ExchangeServer(host, SNAPSHOT_PROTOCOL, BOUNDS, handler, { limits: all, onRefused });
}

/** The server without its network. Refusals: those of decoding the request, and of the source. */
export async function answerSnapshotRequest(source: SnapshotSource, bytes: Uint8Array): Promise<Result<Uint8Array>> {
  const request = snapshotRequestCodec.decode(bytes);
  if (!request.ok) return request;
  switch (request.value.kind) {
    case 'offer':
      return ok(snapshotOfferCodec.encode(await source.offer()));
    case 'manifest':
      return source.manifest(request.value.of);
    case 'chunk':
      return source.chunk(request.value.of, request.value.index);
  }
}

/** Takes a request to a peer and brings its answer. Errors as `exchange`. */
export type AskForSnapshot = (
  from: PeerTarget,
  request: Uint8Array,
  options: { readonly deadlineMs: number; readonly maxAnswerBytes: number },
) => Promise<Result<Uint8Array>>;

/** Asks one peer for parts of a snapshot. Errors as `exchange`; an offer that does not decode throws `answer-invalid`. */
export class SnapshotClient {
  readonly #exchange: AskForSnapshot;

  constructor(exchange: AskForSnapshot) {
    this.#exchange = exchange;
  }

  static over(host: Host): SnapshotClient {
    return new SnapshotClient((from, request, options) => exchange(host, from, SNAPSHOT_PROTOCOL, request, options));
  }

  async offer(from: PeerTarget, options: OpenOptions): Promise<Result<SnapshotOffer>> {
    const answered = await this.#ask(from, { kind: 'offer' }, snapshotOfferCodec.maxBytes, options);
    if (!answered.ok) return answered;
    const decoded = snapshotOfferCodec.decode(answered.value);
    if (decoded.ok) return decoded;
    throw codedError('answer-invalid', 'the answer does not decode', {
      peerId: from.peerId,
      reason: decoded.refusal.code,
    });
  }

  /** The bytes as the server has them: unchecked. */
  async manifest(from: PeerTarget, of: SnapshotName, options: OpenOptions): Promise<Result<Uint8Array>> {
    return await this.#ask(from, { kind: 'manifest', of }, MAX_MANIFEST_BYTES, options);
  }

  /** The bytes as the server has them: unchecked. */
  async chunk(from: PeerTarget, of: SnapshotName, index: number, options: OpenOptions): Promise<Result<Uint8Array>> {
    return await this.#ask(from, { kind: 'chunk', of, index }, MAX_CHUNK_BYTES, options);
  }

  #ask(
    from: PeerTarget,
    request: SnapshotRequest,
    maxAnswerBytes: number,
    { deadlineMs }: OpenOptions,
  ): Promise<Result<Uint8Array>> {
    return this.#exchange(from, snapshotRequestCodec.encode(request), { deadlineMs, maxAnswerBytes });
  }
}
