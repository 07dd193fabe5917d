/**
 * One request, one answer, one stream: the form of the protocols that serve what a node knows. The request is a frame;
 * the answer is a frame that begins with 0 and holds the answer's bytes, or begins with 1 and holds a refusal.
 */
import type { Stream } from '@libp2p/interface';
import { codec } from '../base/codec.ts';
import { CodedError, codedError, ok, refuse, type Refusal, type Result } from '../base/result.ts';
import { FrameStream } from './frames.ts';
import type { Host, PeerTarget } from './host.ts';
import { ConcurrencyLimits, RateLimits, type RateLimit, type RefusalListener } from './limits.ts';
import { refusalShape } from './wire-refusal.ts';

export interface ExchangeBounds {
  readonly maxRequestBytes: number;
  readonly maxAnswerBytes: number;
}

export interface ExchangeLimits {
  /** From the opening of the stream to the last byte of the request. */
  readonly receiveDeadlineMs: number;
  /** From there to the last byte of the answer taken by the peer. */
  readonly answerDeadlineMs: number;
  readonly maxStreamsPerPeer: number;
  readonly maxStreams: number;
  readonly requests: RateLimit;
}

export const DEFAULT_EXCHANGE_LIMITS: ExchangeLimits = {
  receiveDeadlineMs: 5_000,
  answerDeadlineMs: 20_000,
  maxStreamsPerPeer: 16,
  maxStreams: 128,
  requests: { perPeerPerSecond: 500, inAllPerSecond: 2_000 },
};

/** Decides an answer. What it refuses goes to the peer by code; a rejection is our own failure and is answered `internal`. */
export type ExchangeHandler = (remotePeer: string, request: Uint8Array) => Promise<Result<Uint8Array>>;

const refusalCodec = codec(refusalShape, 1 << 10);

const ANSWER = 0;
const REFUSAL = 1;

export class ExchangeServer {
  readonly #host: Host;
  readonly #protocol: string;
  readonly #bounds: ExchangeBounds;
  readonly #limits: ExchangeLimits;
  readonly #handler: ExchangeHandler;
  readonly #onRefused: RefusalListener | undefined;
  readonly #streams: ConcurrencyLimits;
  readonly #requests: RateLimits;

  constructor(
    host: Host,
    protocol: string,
    bounds: ExchangeBounds,
    handler: ExchangeHandler,
    options: {
      readonly limits?: Partial<ExchangeLimits> | undefined;
      readonly onRefused?: RefusalListener | undefined;
    } = {},
  ) {
    this.#host = host;
    this.#protocol = protocol;
    this.#bounds = bounds;
    this.#handler = handler;
    this.#limits = { ...DEFAULT_EXCHANGE_LIMITS, ...options.limits };
    this.#onRefused = options.onRefused;
    this.#streams = new ConcurrencyLimits(this.#limits.maxStreamsPerPeer, this.#limits.maxStreams);
    this.#requests = new RateLimits(this.#limits.requests);
  }

  async start(): Promise<void> {
    await this.#host.handle(this.#protocol, (stream, remotePeer) => void this.#serve(stream, remotePeer));
  }

  async stop(): Promise<void> {
    await this.#host.unhandle(this.#protocol);
  }

  async #serve(stream: Stream, peer: string): Promise<void> {
    const frames = new FrameStream(stream, peer, { maxFrameBytes: this.#bounds.maxRequestBytes });
    frames.expireAfter(this.#limits.receiveDeadlineMs);
    const entered = this.#streams.enter(peer);
    try {
      const answer = entered.ok ? await this.#answer(frames, peer) : entered;
      if (!answer.ok) this.#onRefused?.(this.#protocol, peer, answer.refusal);
      frames.expireAfter(this.#limits.answerDeadlineMs);
      await frames.write(...(answer.ok ? answerFrame(answer.value) : refusalFrame(answer.refusal)));
      await frames.finish();
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      if (error.code !== 'stream-closed') this.#onRefused?.(this.#protocol, peer, error);
    } finally {
      if (entered.ok) this.#streams.leave(peer);
    }
  }

  async #answer(frames: FrameStream, peer: string): Promise<Result<Uint8Array>> {
    const request = await frames.next();
    if (request === undefined) return refuse('frame-truncated', 'the stream ended before the request');
    const allowed = await this.#requests.spend(peer, 1);
    if (!allowed.ok) return allowed;
    frames.expireAfter(this.#limits.answerDeadlineMs);
    try {
      return await this.#handler(peer, request);
    } catch (error) {
      if (error instanceof CodedError) return { ok: false, refusal: error };
      throw error;
    }
  }
}

function answerFrame(answer: Uint8Array): Uint8Array[] {
  return [prefixed(ANSWER, answer)];
}

function refusalFrame(refusal: Refusal): Uint8Array[] {
  return [prefixed(REFUSAL, refusalCodec.encode(refusal))];
}

function prefixed(first: number, rest: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(1 + rest.length);
  bytes[0] = first;
  bytes.set(rest, 1);
  return bytes;
}

/**
 * Asks one peer.
 *
 * @returns the answer's bytes, or the refusal that the peer answered, by its code
 * @throws CodedError when there is no answer: as `Host.open`, and `deadline-passed`, `stream-closed`, `frame-too-large`,
 * `answer-invalid`
 */
export async function exchange(
  host: Host,
  to: PeerTarget,
  protocol: string,
  request: Uint8Array,
  options: { readonly deadlineMs: number; readonly maxAnswerBytes: number },
): Promise<Result<Uint8Array>> {
  const stream = await host.open(to, protocol, options);
  const frames = new FrameStream(stream, to.peerId, { maxFrameBytes: options.maxAnswerBytes + 1 });
  try {
    frames.expireAfter(options.deadlineMs);
    await frames.write(request);
    await frames.end();
    const answer = await frames.next();
    if (answer !== undefined) return decodeAnswer(answer);
    throw codedError('stream-closed', 'the peer ended the stream without an answer', { peerId: to.peerId });
  } catch (error) {
    frames.abort(
      error instanceof CodedError ? error : { code: 'stream-closed', message: 'the exchange failed', details: {} },
    );
    throw error;
  } finally {
    void frames.finish();
  }
}

/** @returns what was refused, where the peer refused @throws CodedError `answer-invalid` */
export function decodeAnswer(frame: Uint8Array): Result<Uint8Array> {
  if (frame[0] === ANSWER) return ok(frame.subarray(1));
  if (frame[0] === REFUSAL) {
    const refusal = refusalCodec.decode(frame.subarray(1));
    if (refusal.ok) return { ok: false, refusal: refusal.value };
  }
  throw codedError('answer-invalid', 'the peer answered something else', { bytes: frame.length });
}
