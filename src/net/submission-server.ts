/**
 * The server of `/masa/data-submission/1.0.0`. It bounds and decodes; what an event is, and whether it may be
 * committed, is the handler's business.
 */
import type { Stream } from '@libp2p/interface';
import { assert, AssertionError } from '../base/assert.ts';
import { utf8 } from '../base/bytes.ts';
import { CodedError, refuse, type Refusal, type Result } from '../base/result.ts';
import { FrameWriter } from './frame-writer.ts';
import { FrameStream } from './frames.ts';
import type { Host } from './host.ts';
import { parseJson } from './json-text.ts';
import { ConcurrencyLimits, RateLimits, type RateLimit, type RefusalListener } from './limits.ts';
import {
  MAX_SUBMISSION_FRAME_BYTES,
  SUBMISSION_PROTOCOL,
  submissionReplyCodec,
  submissionRequestCodec,
  type Submission,
  type SubmissionAnswer,
  type SubmissionRequest,
} from './submission-wire.ts';
import { endWith, peekFirstByte, readWhole } from './whole-stream.ts';

/** @returns one answer an event (one for JSON). A rejection is our own failure and is answered `internal`. */
export type SubmissionHandler = (remotePeer: string, submission: Submission) => Promise<readonly SubmissionAnswer[]>;

export interface SubmissionLimits {
  readonly maxJsonBytes: number;
  readonly maxJsonDepth: number;
  /** From the opening of a stream to its first byte, and of a JSON text to its last. */
  readonly receiveDeadlineMs: number;
  /** For one frame of the binary form. */
  readonly frameDeadlineMs: number;
  /** A binary stream without a request for this long is ended. */
  readonly idleDeadlineMs: number;
  readonly maxStreamsPerPeer: number;
  readonly maxStreams: number;
  /** Beyond it a stream is not read until answers have gone. */
  readonly maxEventsPerStream: number;
  /** Events with the handler, of all streams; beyond it: `busy`. */
  readonly maxEvents: number;
  readonly events: RateLimit;
  readonly bytes: RateLimit;
}

export const DEFAULT_SUBMISSION_LIMITS: SubmissionLimits = {
  maxJsonBytes: 32 << 10,
  maxJsonDepth: 16,
  receiveDeadlineMs: 5_000,
  frameDeadlineMs: 5_000,
  idleDeadlineMs: 10 * 60_000,
  maxStreamsPerPeer: 64,
  maxStreams: 512,
  maxEventsPerStream: 2_048,
  maxEvents: 16_384,
  events: { perPeerPerSecond: 20_000, inAllPerSecond: 50_000 },
  bytes: { perPeerPerSecond: 16 << 20, inAllPerSecond: 64 << 20 },
};

export interface SubmissionServerOptions {
  readonly host: Host;
  readonly handler: SubmissionHandler;
  readonly limits?: Partial<SubmissionLimits>;
  readonly onRefused?: RefusalListener;
}

/** How long a submitter is told to wait when the queue is full: a few rounds of consensus. */
const QUEUE_RETRY_AFTER_MS = 250;

export class SubmissionServer {
  readonly #host: Host;
  readonly #handler: SubmissionHandler;
  readonly #limits: SubmissionLimits;
  readonly #onRefused: RefusalListener | undefined;
  readonly #streams: ConcurrencyLimits;
  readonly #events: RateLimits;
  readonly #bytes: RateLimits;
  readonly #open = new Set<FrameStream>();
  #pendingEvents = 0;

  constructor(options: SubmissionServerOptions) {
    this.#host = options.host;
    this.#handler = options.handler;
    this.#onRefused = options.onRefused;
    this.#limits = { ...DEFAULT_SUBMISSION_LIMITS, ...options.limits };
    this.#streams = new ConcurrencyLimits(this.#limits.maxStreamsPerPeer, this.#limits.maxStreams);
    this.#events = new RateLimits(this.#limits.events);
    this.#bytes = new RateLimits(this.#limits.bytes);
  }

  /** Events with the handler. */
  get pendingEvents(): number {
    return this.#pendingEvents;
  }

  async start(): Promise<void> {
    await this.#host.handle(SUBMISSION_PROTOCOL, (stream, remotePeer) => void this.#serve(stream, remotePeer));
  }

  async stop(): Promise<void> {
    await this.#host.unhandle(SUBMISSION_PROTOCOL);
    await Promise.all([...this.#open].map((frames) => frames.finish()));
  }

  async #serve(stream: Stream, peer: string): Promise<void> {
    const entered = this.#streams.enter(peer);
    if (!entered.ok) return this.#endWithError(stream, peer, entered.refusal);
    try {
      const first = await peekFirstByte(stream, this.#limits.receiveDeadlineMs);
      if (first === 0) await this.#serveBinary(stream, peer);
      else await this.#serveJson(stream, peer);
    } finally {
      this.#streams.leave(peer);
    }
  }

  async #serveJson(stream: Stream, peer: string): Promise<void> {
    const { maxJsonBytes: maxBytes, maxJsonDepth, receiveDeadlineMs: deadlineMs } = this.#limits;
    const read = await readWhole(stream, { maxBytes, deadlineMs });
    if (!read.ok) return this.#endWithError(stream, peer, read.refusal);
    const parsed = parseJson(read.value, maxJsonDepth);
    if (!parsed.ok) return this.#endWithError(stream, peer, parsed.refusal);
    const [answer] = await this.#handle(peer, { kind: 'json', value: parsed.value }, 1, read.value.length);
    if (answer?.kind === 'refused') return await endWith(stream, utf8(errorText(answer.refusal)));
    await endWith(stream, utf8('"ACK"'));
  }

  /** For what was refused here; what the handler refused it has counted itself. */
  async #endWithError(stream: Stream, peer: string, refusal: Refusal): Promise<void> {
    this.#onRefused?.(SUBMISSION_PROTOCOL, peer, refusal);
    await endWith(stream, utf8(errorText(refusal)));
  }

  async #serveBinary(stream: Stream, peer: string): Promise<void> {
    const frames = new FrameStream(stream, peer, {
      maxFrameBytes: MAX_SUBMISSION_FRAME_BYTES,
      frameDeadlineMs: this.#limits.frameDeadlineMs,
    });
    this.#open.add(frames);
    const writer = new FrameWriter(frames);
    try {
      await this.#readBatches(frames, writer, peer);
      await writer.idle();
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      // A peer that resets its stream has done nothing wrong.
      if (error.code !== 'stream-closed') this.#onRefused?.(SUBMISSION_PROTOCOL, peer, error);
    } finally {
      await frames.finish();
      this.#open.delete(frames);
    }
  }

  /** Until the peer ends its direction and every batch is answered. */
  async #readBatches(frames: FrameStream, writer: FrameWriter, peer: string): Promise<void> {
    const underWay = new Set<Promise<void>>();
    let eventsUnderWay = 0;
    for (;;) {
      frames.expireAfter(this.#limits.idleDeadlineMs);
      const frame = await frames.next();
      if (frame === undefined) break;
      const request = submissionRequestCodec.decode(frame);
      if (!request.ok) {
        this.#onRefused?.(SUBMISSION_PROTOCOL, peer, request.refusal);
        writer.post(submissionReplyCodec.encode({ kind: 'refused', number: null, refusal: request.refusal }));
        break;
      }
      const { events } = request.value;
      eventsUnderWay += events.length;
      const answered = this.#answerBatch(peer, request.value, frame.length).then((reply) => {
        eventsUnderWay -= events.length;
        underWay.delete(answered);
        writer.post(reply);
      });
      underWay.add(answered);
      while (eventsUnderWay >= this.#limits.maxEventsPerStream) await Promise.race(underWay);
    }
    await Promise.all(underWay);
  }

  async #answerBatch(
    peer: string,
    { number, events, acknowledge }: SubmissionRequest,
    bytes: number,
  ): Promise<Uint8Array> {
    const answers = await this.#handle(peer, { kind: 'binary', events, acknowledge }, events.length, bytes);
    return submissionReplyCodec.encode({ kind: 'answers', number, answers });
  }

  /** Spends what the limits allow, and asks the handler. */
  async #handle(
    peer: string,
    submission: Submission,
    events: number,
    bytes: number,
  ): Promise<readonly SubmissionAnswer[]> {
    const refuseAll = (refusal: Refusal): readonly SubmissionAnswer[] =>
      Array.from({ length: events }, () => ({ kind: 'refused', refusal }));
    // Counted before anything is awaited, so that batches that arrive together see each other.
    this.#pendingEvents += events;
    try {
      const allowed = await this.#spend(peer, events, bytes);
      if (!allowed.ok) {
        this.#onRefused?.(SUBMISSION_PROTOCOL, peer, allowed.refusal);
        return refuseAll(allowed.refusal);
      }
      const answers = await this.#handler(peer, submission);
      assert(answers.length === events, 'every event has its answer', { answers: answers.length, events });
      return answers;
    } catch (error) {
      if (error instanceof AssertionError) throw error;
      return refuseAll(error instanceof CodedError ? error : INTERNAL);
    } finally {
      this.#pendingEvents -= events;
    }
  }

  async #spend(peer: string, events: number, bytes: number): Promise<Result<void>> {
    const { maxEvents } = this.#limits;
    if (this.#pendingEvents > maxEvents) {
      return refuse('busy', 'the queue of submissions is full: retry later', {
        pendingEvents: this.#pendingEvents,
        maxEvents,
        retryAfterMs: QUEUE_RETRY_AFTER_MS,
      });
    }
    const spent = await this.#events.spend(peer, events);
    return spent.ok ? await this.#bytes.spend(peer, bytes) : spent;
  }
}

const INTERNAL: Refusal = { code: 'internal', message: 'this node failed to handle the submission', details: {} };

function errorText({ code, message, details }: Refusal): string {
  return JSON.stringify({ error: { ...details, code, message } }, (_key, value: unknown) =>
    typeof value === 'bigint' ? value.toString() : value,
  );
}
