/**
 * `/masa/read/1.0.0`: records with their proofs, head statements, epoch proofs. The bytes are opaque here: the server's
 * handler makes them, and the verified read, which trusts no server, judges them.
 */
import { bool, bytes, codec, list, struct, text, uint, union, type Codec } from '../base/codec.ts';
import { codedError, type Result } from '../base/result.ts';
import { exchange, ExchangeServer, type ExchangeLimits } from './exchange.ts';
import type { Host, OpenOptions, PeerTarget } from './host.ts';
import type { RefusalListener } from './limits.ts';

export const READ_PROTOCOL = '/masa/read/1.0.0';

export const MAX_READ_PEERS = 64;
export const MAX_READ_ANSWER_BYTES = 4 << 20;

export type ReadRequest =
  /** One answer a peer id, in their order, at the server's head; with head statements, where their age is asked for. */
  | { readonly kind: 'records'; readonly peerIds: readonly string[]; readonly withAge: boolean }
  /** The statement that a validator signs of its head; from a non-validator, those that it holds. */
  | { readonly kind: 'headStatements' }
  /** Epoch proofs from this epoch on. */
  | { readonly kind: 'epochProofs'; readonly fromEpoch: number }
  /** Of a member of a Raft cluster: as `records`, and what was committed before the request is in the answers. */
  | { readonly kind: 'linearizable'; readonly peerIds: readonly string[] }
  /** Of the leader of a Raft cluster: the index that a member must have applied to answer so. */
  | { readonly kind: 'readIndex' };

export const readRequestCodec: Codec<ReadRequest> = codec(
  union<ReadRequest>({
    records: struct({ peerIds: list(text(64), MAX_READ_PEERS), withAge: bool }),
    headStatements: struct({}),
    epochProofs: struct({ fromEpoch: uint() }),
    linearizable: struct({ peerIds: list(text(64), MAX_READ_PEERS) }),
    readIndex: struct({}),
  }),
  8 << 10,
);

/** What answers `readIndex`. */
export const readIndexCodec: Codec<number> = codec(uint(), 16);

export const readAnswerCodec: Codec<readonly Uint8Array[]> = codec(
  list(bytes(MAX_READ_ANSWER_BYTES), 1024),
  MAX_READ_ANSWER_BYTES + (64 << 10),
);

const BOUNDS = { maxRequestBytes: readRequestCodec.maxBytes, maxAnswerBytes: readAnswerCodec.maxBytes };

/** @returns the encoded parts of the answer; their sum is at most `MAX_READ_ANSWER_BYTES` */
export type ReadHandler = (remotePeer: string, request: ReadRequest) => Promise<Result<readonly Uint8Array[]>>;

export interface ReadServerOptions {
  readonly host: Host;
  readonly handler: ReadHandler;
  readonly limits?: Partial<ExchangeLimits>;
  readonly onRefused?: RefusalListener;
}

export function readServer({ host, handler, limits, onRefused }: ReadServerOptions): ExchangeServer {
  const answer = async (peer: string, bytes: Uint8Array): Promise<Result<Uint8Array>> => {
    const request = readRequestCodec.decode(bytes);
    if (!request.ok) return request;
    const parts = await handler(peer, request.value);
    return parts.ok ? { ok: true, value: readAnswerCodec.encode(parts.value) } : parts;
  };
  return new ExchangeServer(host, READ_PROTOCOL, BOUNDS, answer, { limits, onRefused });
}

/** Asks one peer. Errors as `exchange`; undecodable answers throw `answer-invalid`. */
export async function read(
  host: Host,
  from: PeerTarget,
  request: ReadRequest,
  options: OpenOptions,
): Promise<Result<readonly Uint8Array[]>> {
  const answered = await exchange(host, from, READ_PROTOCOL, readRequestCodec.encode(request), {
    deadlineMs: options.deadlineMs,
    maxAnswerBytes: readAnswerCodec.maxBytes,
  });
  if (!answered.ok) return answered;
  const decoded = readAnswerCodec.decode(answered.value);
  if (decoded.ok) return decoded;
  throw codedError('answer-invalid', 'the answer does not decode', {
    peerId: from.peerId,
    reason: decoded.refusal.code,
  });
}
