/**
 * `/masa/block-sync/1.0.0`: blocks for a validator or a peer that is behind. Sealed blocks by height, blocks of the
 * uncommitted tail by id, and the head that the server stands at. Everything travels as the bytes that are kept on disk;
 * whoever asked decodes and verifies.
 */
import { bytes, codec, hash, list, struct, uint, union, type Codec } from '../base/codec.ts';
import type { Hash } from '../base/hash.ts';
import { codedError, ok, refuse, type Result } from '../base/result.ts';
import { exchange, ExchangeServer, type ExchangeLimits } from './exchange.ts';
import type { Host, OpenOptions, PeerTarget } from './host.ts';
import type { RefusalListener } from './limits.ts';

export const BLOCK_SYNC_PROTOCOL = '/masa/block-sync/1.0.0';

export const MAX_SYNC_BLOCKS = 512;
export const MAX_SYNC_IDS = 64;
/** Blocks of one answer stop before this; at least one is given. A block is at most 1 MiB, its seal less. */
export const MAX_SYNC_ANSWER_BYTES = 4 << 20;
const MAX_ITEM_BYTES = 3 << 20;

/** What the server says of itself: to choose whom to ask, never to be believed. */
export interface SyncHead {
  readonly epoch: number;
  readonly height: number;
  readonly blockId: Hash;
}

export type SyncRequest =
  | { readonly kind: 'head' }
  | { readonly kind: 'sealed'; readonly fromHeight: number; readonly maxBlocks: number }
  | { readonly kind: 'blocks'; readonly ids: readonly Hash[] };

export const syncRequestCodec: Codec<SyncRequest> = codec(
  union<SyncRequest>({
    head: struct({}),
    sealed: struct({ fromHeight: uint(), maxBlocks: uint(MAX_SYNC_BLOCKS) }),
    blocks: struct({ ids: list(hash, MAX_SYNC_IDS) }),
  }),
  8 << 10,
);

export const syncHeadCodec: Codec<SyncHead> = codec(
  struct<SyncHead>({ epoch: uint(), height: uint(), blockId: hash }),
  256,
);

export const syncBlocksCodec: Codec<readonly Uint8Array[]> = codec(
  list(bytes(MAX_ITEM_BYTES), MAX_SYNC_BLOCKS),
  MAX_SYNC_ANSWER_BYTES + MAX_ITEM_BYTES,
);

const BOUNDS = { maxRequestBytes: syncRequestCodec.maxBytes, maxAnswerBytes: syncBlocksCodec.maxBytes };

export interface BlockSource {
  head(): SyncHead;
  /** The lowest height that is held, genesis apart. */
  oldest(): number;
  /** The encoded sealed block of this height, or undefined when it is not held. */
  sealedAt(height: number): Uint8Array | undefined;
  /**
   * The encoded uncommitted blocks of these ids, each with the certificate of its parent, and of their ancestors: as
   * many as the source thinks useful. What is not held is left out.
   */
  blocks(ids: readonly Hash[]): Iterable<Uint8Array>;
}

export interface BlockSyncServerOptions {
  readonly host: Host;
  readonly source: BlockSource;
  readonly limits?: Partial<ExchangeLimits>;
  readonly onRefused?: RefusalListener;
}

export function blockSyncServer({ host, source, limits, onRefused }: BlockSyncServerOptions): ExchangeServer {
  const handler = async (_peer: string, bytes: Uint8Array) => answerSyncRequest(source, bytes);
  return new ExchangeServer(host, BLOCK_SYNC_PROTOCOL, BOUNDS, handler, { limits, onRefused });
}

/** The server without its network. Refusals: those of decoding the request, `blocks-pruned`. */
export function answerSyncRequest(source: BlockSource, bytes: Uint8Array): Result<Uint8Array> {
  const request = syncRequestCodec.decode(bytes);
  if (!request.ok) return request;
  const oldest = source.oldest();
  if (request.value.kind === 'sealed' && request.value.fromHeight < oldest) {
    return refuse('blocks-pruned', 'this node no longer has blocks of that height', {
      fromHeight: request.value.fromHeight,
      oldest,
      head: source.head().height,
    });
  }
  return ok(answer(source, request.value));
}

function answer(source: BlockSource, request: SyncRequest): Uint8Array {
  switch (request.kind) {
    case 'head':
      return syncHeadCodec.encode(source.head());
    case 'sealed': {
      const { fromHeight, maxBlocks } = request;
      return syncBlocksCodec.encode(bounded(sealedFrom(source, fromHeight), maxBlocks));
    }
    case 'blocks':
      return syncBlocksCodec.encode(bounded(source.blocks(request.ids), MAX_SYNC_BLOCKS));
  }
}

/** Up to the server's own end. */
function* sealedFrom(source: BlockSource, fromHeight: number): Generator<Uint8Array> {
  for (let height = fromHeight; ; height++) {
    const block = source.sealedAt(height);
    if (block === undefined) return;
    yield block;
  }
}

/** The first `maxBlocks` within the bound of an answer; at least one, if there is one. */
function bounded(blocks: Iterable<Uint8Array>, maxBlocks: number): Uint8Array[] {
  const taken: Uint8Array[] = [];
  let total = 0;
  if (maxBlocks === 0) return taken;
  for (const block of blocks) {
    if (taken.length > 0 && total + block.length > MAX_SYNC_ANSWER_BYTES) break;
    taken.push(block);
    total += block.length;
    if (taken.length === maxBlocks) break;
  }
  return taken;
}

/** Takes a request to a peer and brings its answer. Errors as `exchange`. */
export type AskForBlocks = (
  from: PeerTarget,
  request: Uint8Array,
  options: { readonly deadlineMs: number; readonly maxAnswerBytes: number },
) => Promise<Result<Uint8Array>>;

/** Asks one peer for blocks. Errors as `exchange`; undecodable answers throw `answer-invalid`. */
export class BlockSyncClient {
  readonly #exchange: AskForBlocks;

  constructor(exchange: AskForBlocks) {
    this.#exchange = exchange;
  }

  static over(host: Host): BlockSyncClient {
    return new BlockSyncClient((from, request, options) => exchange(host, from, BLOCK_SYNC_PROTOCOL, request, options));
  }

  async head(from: PeerTarget, options: OpenOptions): Promise<Result<SyncHead>> {
    return await this.#ask(from, { kind: 'head' }, syncHeadCodec, options);
  }

  /** Encoded sealed blocks from this height on: as many as the server gives, none when it is not ahead. */
  async sealed(
    from: PeerTarget,
    fromHeight: number,
    options: OpenOptions & { readonly maxBlocks?: number },
  ): Promise<Result<readonly Uint8Array[]>> {
    const maxBlocks = Math.min(options.maxBlocks ?? MAX_SYNC_BLOCKS, MAX_SYNC_BLOCKS);
    return await this.#ask(from, { kind: 'sealed', fromHeight, maxBlocks }, syncBlocksCodec, options);
  }

  /** Encoded uncommitted blocks: of these ids those that the server holds, and ancestors. At most `MAX_SYNC_IDS`. */
  async blocks(from: PeerTarget, ids: readonly Hash[], options: OpenOptions): Promise<Result<readonly Uint8Array[]>> {
    return await this.#ask(from, { kind: 'blocks', ids }, syncBlocksCodec, options);
  }

  async #ask<T>(from: PeerTarget, request: SyncRequest, answers: Codec<T>, options: OpenOptions): Promise<Result<T>> {
    const answered = await this.#exchange(from, syncRequestCodec.encode(request), {
      deadlineMs: options.deadlineMs,
      maxAnswerBytes: answers.maxBytes,
    });
    if (!answered.ok) return answered;
    const decoded = answers.decode(answered.value);
    if (decoded.ok) return decoded;
    throw codedError('answer-invalid', 'the answer does not decode', {
      peerId: from.peerId,
      reason: decoded.refusal.code,
    });
  }
}
