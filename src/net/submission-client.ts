/** The client of `/masa/data-submission/1.0.0`, both forms. */
import { assert } from '../base/assert.ts';
import { utf8 } from '../base/bytes.ts';
import { CodedError, codedError, ok, refuse, type Detail, type Result } from '../base/result.ts';
import { FrameWriter } from './frame-writer.ts';
import { FrameStream } from './frames.ts';
import type { Host, OpenOptions, PeerTarget } from './host.ts';
import { parseJson } from './json-text.ts';
import {
  MAX_BATCH_EVENTS,
  MAX_SUBMISSION_FRAME_BYTES,
  SUBMISSION_PROTOCOL,
  submissionReplyCodec,
  submissionRequestCodec,
  type Acknowledge,
  type SubmissionAnswer,
} from './submission-wire.ts';
import { readWhole, writeWhole } from './whole-stream.ts';

const MAX_JSON_ANSWER_BYTES = 16 << 10;

/**
 * Submits `{"event":{...},"signature":base64}` and waits for the answer.
 *
 * @returns the refusal that the server answered, with its own code
 * @throws CodedError when there is no answer: as `Host.open`, `deadline-passed`, `stream-closed`, `answer-invalid`
 */
export async function submitJson(
  host: Host,
  to: PeerTarget,
  value: unknown,
  options: OpenOptions,
): Promise<Result<void>> {
  const stream = await host.open(to, SUBMISSION_PROTOCOL, options);
  const written = await writeWhole(stream, utf8(JSON.stringify(value)), options.deadlineMs);
  if (!written.ok) throw new CodedError(written.refusal);
  const read = await readWhole(stream, { maxBytes: MAX_JSON_ANSWER_BYTES, deadlineMs: options.deadlineMs });
  if (!read.ok) {
    stream.abort(new CodedError(read.refusal));
    throw new CodedError(read.refusal);
  }
  return parseJsonAnswer(read.value);
}

/** @returns the refusal that the server answered @throws CodedError `answer-invalid` */
export function parseJsonAnswer(bytes: Uint8Array): Result<void> {
  const answer = parseJson(bytes, 4);
  if (answer.ok && answer.value === 'ACK') return ok(undefined);
  const error = answer.ok ? errorOf(answer.value) : undefined;
  if (error !== undefined) return error;
  // For people; it may be no UTF-8, or be cut within a character.
  const text = new TextDecoder().decode(bytes.slice(0, 80));
  throw codedError('answer-invalid', 'the answer is neither an acknowledgement nor an error', { text });
}

function errorOf(value: unknown): Result<never> | undefined {
  if (typeof value !== 'object' || value === null || !('error' in value)) return undefined;
  const { error } = value;
  if (typeof error !== 'object' || error === null || !('code' in error) || typeof error.code !== 'string')
    return undefined;
  const message = 'message' in error && typeof error.message === 'string' ? error.message : '';
  const details = Object.entries(error).filter(
    ([name, detail]) => !['code', 'message'].includes(name) && isDetail(detail),
  );
  return refuse(error.code, message, Object.fromEntries(details) as Record<string, Detail>);
}

function isDetail(value: unknown): value is Detail {
  return value === null || ['string', 'number', 'boolean'].includes(typeof value);
}

interface Waiting {
  readonly resolve: (answers: readonly SubmissionAnswer[]) => void;
  readonly reject: (error: CodedError) => void;
  readonly events: number;
}

/** One long-lived stream of the binary form; any number of batches may be under way on it. */
export class SubmissionClient {
  readonly #frames: FrameStream;
  readonly #writer: FrameWriter;
  readonly #waiting = new Map<number, Waiting>();
  #nextNumber = 0;

  private constructor(frames: FrameStream) {
    this.#frames = frames;
    this.#writer = new FrameWriter(frames);
    void frames.closed.then((error) => this.#failAll(error));
  }

  /** @throws CodedError as `Host.open` */
  static async open(host: Host, to: PeerTarget, options: OpenOptions): Promise<SubmissionClient> {
    const stream = await host.open(to, SUBMISSION_PROTOCOL, options);
    const frames: FrameStream = new FrameStream(stream, to.peerId, {
      maxFrameBytes: MAX_SUBMISSION_FRAME_BYTES,
      onFrame: (frame) => client.#onFrame(frame),
      onEnd: () => void frames.finish(),
    });
    const client = new SubmissionClient(frames);
    return client;
  }

  /** Resolves when the stream is of no more use. */
  get closed(): Promise<CodedError | undefined> {
    return this.#frames.closed;
  }

  /** Batches under way. */
  get pending(): number {
    return this.#waiting.size;
  }

  /**
   * Submits encoded signed events as one batch of at most `MAX_BATCH_EVENTS`. The caller bounds how many batches are under way.
   *
   * @returns one answer an event, in their order
   * @throws CodedError when there will be no answer: `stream-closed` and the like, or what the server ended the stream with
   */
  submit(events: readonly Uint8Array[], acknowledge: Acknowledge = 'committed'): Promise<readonly SubmissionAnswer[]> {
    assert(events.length <= MAX_BATCH_EVENTS, 'a batch is within its bound', { events: events.length });
    const number = this.#nextNumber;
    this.#nextNumber = (number + 1) >>> 0;
    const { promise, resolve, reject } = Promise.withResolvers<readonly SubmissionAnswer[]>();
    this.#waiting.set(number, { resolve, reject, events: events.length });
    this.#writer.post(submissionRequestCodec.encode({ number, acknowledge, events }));
    if (!this.#frames.usable) this.#failAll(undefined);
    return promise;
  }

  /** Waits for the answers under way, up to the deadline, and ends the stream. */
  async close(deadlineMs = 1_000): Promise<void> {
    await this.#writer.idle();
    this.#frames.expireAfter(deadlineMs);
    await this.#frames.end();
    await this.#frames.closed;
  }

  #onFrame(frame: Uint8Array): void {
    const decoded = submissionReplyCodec.decode(frame);
    if (!decoded.ok) throw new CodedError(decoded.refusal);
    const reply = decoded.value;
    if (reply.kind === 'refused') {
      const error = new CodedError(reply.refusal);
      if (reply.number === null) return this.#failAll(error);
      this.#take(reply.number).reject(error);
      return;
    }
    const waiting = this.#take(reply.number);
    if (waiting.events === reply.answers.length) return waiting.resolve(reply.answers);
    const error = codedError('answer-invalid', 'a batch has another number of answers', { number: reply.number });
    waiting.reject(error);
    throw error;
  }

  #take(number: number): Waiting {
    const waiting = this.#waiting.get(number);
    if (waiting === undefined) throw codedError('answer-invalid', 'nobody asked for this answer', { number });
    this.#waiting.delete(number);
    return waiting;
  }

  #failAll(error: CodedError | undefined): void {
    const reason = error ?? codedError('stream-closed', 'the stream was ended');
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of waiting) reject(reason);
  }
}
