/**
 * Frames over a libp2p stream, both ways, with bounds, deadlines and real back-pressure.
 *
 * libp2p 3 streams are event targets: `for await` over one has no back-pressure, `onDrain()` resolves only once, a
 * handler that returns does not close its stream. So this class reads by events, pauses the stream while frames wait,
 * has writers wait for `drain` themselves, and every path ends in `finish` or `abort`.
 */
import type { Stream, StreamMessageEvent } from '@libp2p/interface';
import { Uint8ArrayList } from 'uint8arraylist';
import { CodedError, codedError, type Refusal } from '../base/result.ts';
import { FRAME_HEADER_BYTES, FrameDecoder, writeFrameHeader } from './frame-decoder.ts';

/** Up to here the frames of one write are copied into one buffer: one TLS record and one system call. */
const MAX_JOINED_BYTES = 64 << 10;

/** What a waiting frame costs beside its bytes, so that a flood of tiny ones is bounded too. */
const FRAME_OVERHEAD_BYTES = 64;

/** Taken frames are dropped from the front of the queue in steps of this many. */
const COMPACT_AFTER_FRAMES = 256;

const FINISH_DEADLINE_MS = 1_000;

export interface FrameStreamOptions {
  /** A longer frame is refused by its length, before it is read. */
  readonly maxFrameBytes: number;
  /** Reading pauses while this many bytes of whole frames wait to be taken. Default: twice `maxFrameBytes`. */
  readonly maxWaitingBytes?: number;
  /** How long the bytes of one frame may take to arrive. Default: no limit but that of `expireAfter`. */
  readonly frameDeadlineMs?: number;
  /**
   * Takes each frame, in the event in which its last byte arrives, in place of `next`. While a promise that it returned
   * is pending, reading pauses. A frame that it throws on aborts the stream.
   */
  readonly onFrame?: (frame: Uint8Array) => void | Promise<void>;
  /** The stream takes writes again after `send` said false. */
  readonly onWritable?: () => void;
  /** The other side has ended its direction, after a whole frame. */
  readonly onEnd?: () => void;
}

/**
 * Codes of the errors: `frame-too-large`, `frame-empty`, `frame-truncated` (the stream ended inside a frame),
 * `stream-closed` (reset by the other side, or its connection went), `deadline-passed`, and the one given to `abort`.
 */
export class FrameStream {
  readonly remotePeer: string;
  /** Resolves when the stream is of no more use in either direction, with the reason unless it ended well. */
  readonly closed: Promise<CodedError | undefined>;
  readonly #stream: Stream;
  readonly #options: FrameStreamOptions;
  readonly #maxWaitingBytes: number;
  readonly #decoder: FrameDecoder;
  readonly #closing = Promise.withResolvers<CodedError | undefined>();
  #frames: Uint8Array[] = [];
  #nextFrame = 0;
  #waitingBytes = 0;
  #failure: CodedError | undefined;
  #ended = false;
  #delivering = false;
  #callbackPending = false;
  #wakers: (() => void)[] = [];
  #deadline: NodeJS.Timeout | undefined;
  #frameDeadline: NodeJS.Timeout | undefined;

  constructor(stream: Stream, remotePeer: string, options: FrameStreamOptions) {
    this.remotePeer = remotePeer;
    this.closed = this.#closing.promise;
    this.#stream = stream;
    this.#options = options;
    this.#maxWaitingBytes = options.maxWaitingBytes ?? 2 * options.maxFrameBytes;
    this.#decoder = new FrameDecoder(options.maxFrameBytes);
    stream.addEventListener('message', (event) => this.#onMessage(event));
    stream.addEventListener('end', () => this.#onEnd());
    stream.addEventListener('drain', () => this.#onDrain());
    stream.addEventListener('close', ({ error }) => this.#onClose(error));
    // Told later: whoever makes this has it only then, and may want to finish it.
    if (stream.readableEnded) queueMicrotask(() => this.#onEnd());
    if (stream.status !== 'open') this.#onClose(undefined);
  }

  /** The whole exchange must be over by then, else it is aborted with `deadline-passed`. Replaces an earlier deadline. */
  expireAfter(deadlineMs: number): void {
    clearTimeout(this.#deadline);
    if (this.#failure !== undefined) return;
    this.#deadline = setTimeout(() => {
      this.abort({ code: 'deadline-passed', message: 'the exchange took too long', details: { deadlineMs } });
    }, deadlineMs);
  }

  /** @returns the next frame, or undefined when the other side has ended its direction after a whole frame */
  async next(): Promise<Uint8Array | undefined> {
    for (;;) {
      const frame = this.#take();
      if (frame !== undefined) return frame;
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#ended) return undefined;
      await this.#woken();
    }
  }

  /** Whether the other side has ended its direction and every frame of it was taken. */
  get ended(): boolean {
    return this.#ended && this.#nextFrame >= this.#frames.length;
  }

  /** Whether anything can still be sent. */
  get usable(): boolean {
    return this.#failure === undefined && this.#stream.writeStatus === 'writable';
  }

  get writable(): boolean {
    return this.usable && !this.#stream.writableNeedsDrain;
  }

  /**
   * Hands the frames to the stream in one write, without waiting.
   *
   * @returns false when the stream is full: whoever goes on regardless grows its buffer
   * @throws CodedError when the stream is closed
   */
  send(frames: readonly Uint8Array[]): boolean {
    if (this.#failure !== undefined) throw this.#failure;
    try {
      return this.#stream.send(joinFrames(frames));
    } catch (error) {
      throw this.#fail(streamClosed(error));
    }
  }

  /** Sends the frames and waits until the stream takes more. */
  async write(...frames: readonly Uint8Array[]): Promise<void> {
    this.send(frames);
    while (this.#stream.writableNeedsDrain && this.#failure === undefined) await this.#woken();
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Ends this side's direction once everything was handed to the connection; reading goes on. */
  async end(): Promise<void> {
    try {
      await this.#stream.close({ signal: AbortSignal.timeout(FINISH_DEADLINE_MS) });
    } catch (error) {
      this.abort(streamClosed(error));
    }
  }

  /** Ends the exchange: this side at once, the whole stream by force when the other side does not follow. Never throws. */
  async finish(): Promise<void> {
    if (this.#failure !== undefined) return;
    this.expireAfter(FINISH_DEADLINE_MS);
    await this.end();
    // What the other side still sends is read and forgotten, so that its end is seen.
    while (!this.#ended && this.#failure === undefined) {
      this.#frames = [];
      this.#nextFrame = this.#waitingBytes = 0;
      this.#adjustFlow();
      await this.#woken();
    }
    clearTimeout(this.#deadline);
  }

  /** Resets the stream; everything that waits on it fails with this reason. */
  abort(reason: Refusal | CodedError): void {
    if (this.#failure === undefined) {
      this.#fail(reason instanceof CodedError ? reason : new CodedError(reason));
    }
    this.#stream.abort(this.#failure as CodedError);
  }

  #onMessage({ data }: StreamMessageEvent): void {
    if (this.#failure !== undefined) return;
    const before = this.#frames.length;
    for (const chunk of data instanceof Uint8Array ? [data] : data) {
      const pushed = this.#decoder.push(chunk, this.#frames);
      if (!pushed.ok) return this.abort(pushed.refusal);
    }
    for (let i = before; i < this.#frames.length; i++) {
      this.#waitingBytes += (this.#frames[i] as Uint8Array).length + FRAME_OVERHEAD_BYTES;
    }
    this.#watchFrame();
    if (this.#options.onFrame !== undefined) this.#deliver(this.#options.onFrame);
    this.#adjustFlow();
    if (this.#frames.length > before) this.#wakeAll();
  }

  #deliver(onFrame: (frame: Uint8Array) => void | Promise<void>): void {
    if (this.#delivering) return;
    this.#delivering = true;
    try {
      while (!this.#callbackPending && this.#failure === undefined) {
        const frame = this.#take();
        if (frame === undefined) break;
        const pending = onFrame(frame);
        if (pending !== undefined) this.#awaitCallback(pending, onFrame);
      }
    } catch (error) {
      this.abort(error instanceof CodedError ? error : refusalOf(error));
    } finally {
      this.#delivering = false;
    }
  }

  #awaitCallback(pending: Promise<void>, onFrame: (frame: Uint8Array) => void | Promise<void>): void {
    this.#callbackPending = true;
    pending.then(
      () => {
        this.#callbackPending = false;
        this.#deliver(onFrame);
        this.#adjustFlow();
        this.#settle();
      },
      (error: unknown) => this.abort(error instanceof CodedError ? error : refusalOf(error)),
    );
  }

  #take(): Uint8Array | undefined {
    const frame = this.#frames[this.#nextFrame];
    if (frame === undefined) return undefined;
    this.#nextFrame++;
    this.#waitingBytes -= frame.length + FRAME_OVERHEAD_BYTES;
    if (this.#nextFrame === this.#frames.length || this.#nextFrame === COMPACT_AFTER_FRAMES) {
      this.#frames = this.#frames.slice(this.#nextFrame);
      this.#nextFrame = 0;
    }
    if (!this.#delivering) this.#adjustFlow();
    return frame;
  }

  /** Paused, the stream stops widening its window, and the sender stops. */
  #adjustFlow(): void {
    const { readStatus } = this.#stream;
    const full = this.#waitingBytes > this.#maxWaitingBytes || (this.#callbackPending && this.#waitingBytes > 0);
    if (full && readStatus === 'readable') this.#stream.pause();
    else if (!full && readStatus === 'paused') this.#stream.resume();
  }

  #watchFrame(): void {
    const deadlineMs = this.#options.frameDeadlineMs;
    if (deadlineMs === undefined) return;
    if (!this.#decoder.insideFrame) {
      clearTimeout(this.#frameDeadline);
      this.#frameDeadline = undefined;
      return;
    }
    this.#frameDeadline ??= setTimeout(() => {
      this.abort({ code: 'deadline-passed', message: 'a frame took too long to arrive', details: { deadlineMs } });
    }, deadlineMs);
  }

  #onEnd(): void {
    // A reset ends reading too, a moment before it is told as a reset.
    const { status } = this.#stream;
    if (this.#ended || this.#failure !== undefined || status === 'reset' || status === 'aborted') return;
    if (this.#decoder.insideFrame) {
      return this.abort({ code: 'frame-truncated', message: 'the stream ended inside a frame', details: {} });
    }
    this.#ended = true;
    this.#settle();
    this.#wakeAll();
    this.#options.onEnd?.();
  }

  #onDrain(): void {
    // libp2p goes on with its own buffer in a microtask, and may be full again after it.
    queueMicrotask(() => {
      if (this.#failure !== undefined || this.#stream.writableNeedsDrain) return;
      this.#options.onWritable?.();
      this.#wakeAll();
    });
  }

  #onClose(error: Error | undefined): void {
    // A stream that closed well while paused still holds data; it is delivered, and then ends.
    if (error === undefined && this.#stream.readBufferLength > 0) return;
    if (error === undefined && this.#ended) return this.#settle();
    this.#fail(streamClosed(error));
  }

  #settle(): void {
    const over = this.#ended && this.#stream.status !== 'open' && this.#stream.status !== 'closing';
    if (over && !this.#callbackPending) this.#release(undefined);
  }

  #fail(reason: CodedError): CodedError {
    this.#failure ??= reason;
    this.#release(this.#failure);
    return this.#failure;
  }

  #release(reason: CodedError | undefined): void {
    clearTimeout(this.#deadline);
    clearTimeout(this.#frameDeadline);
    this.#closing.resolve(reason);
    this.#wakeAll();
  }

  #woken(): Promise<void> {
    return new Promise((resolve) => this.#wakers.push(resolve));
  }

  #wakeAll(): void {
    if (this.#wakers.length === 0) return;
    const wakers = this.#wakers;
    this.#wakers = [];
    for (const wake of wakers) wake();
  }
}

function joinFrames(frames: readonly Uint8Array[]): Uint8Array | Uint8ArrayList {
  let bytes = 0;
  for (const frame of frames) bytes += FRAME_HEADER_BYTES + frame.length;
  if (bytes > MAX_JOINED_BYTES) {
    const list = new Uint8ArrayList();
    for (const frame of frames) {
      const header = new Uint8Array(FRAME_HEADER_BYTES);
      writeFrameHeader(header, 0, frame.length);
      list.append(header);
      list.append(frame);
    }
    return list;
  }
  const joined = new Uint8Array(bytes);
  let offset = 0;
  for (const frame of frames) {
    writeFrameHeader(joined, offset, frame.length);
    joined.set(frame, offset + FRAME_HEADER_BYTES);
    offset += FRAME_HEADER_BYTES + frame.length;
  }
  return joined;
}

function streamClosed(error: unknown): CodedError {
  const reason = error instanceof Error ? `${error.name}: ${error.message}` : 'ended';
  return codedError('stream-closed', 'the stream was closed', { reason }, { cause: error });
}

function refusalOf(error: unknown): Refusal {
  const reason = error instanceof Error ? error.message : String(error);
  return { code: 'stream-handler-failed', message: 'the receiver of a frame failed', details: { reason } };
}
