/**
 * One long-lived stream between every two validators, for frames both ways. The validator with the lower peer id dials
 * and opens it, so that two never open two; the other accepts. Only members of the validator set are accepted: the
 * connection has proved the peer id, so a frame's sender is authenticated without a signature.
 */
import type { Stream } from '@libp2p/interface';
import { CodedError, type Refusal } from '../base/result.ts';
import { FrameStream } from './frames.ts';
import type { Host } from './host.ts';
import { DEFAULT_OUTBOX_BOUNDS, Outbox, type FrameClass, type OutboxBounds } from './outbox.ts';

export const CONSENSUS_PROTOCOL = '/masa/hotstuff/1.0.0';

export interface ValidatorAddress {
  readonly peerId: string;
  /** Asked at each dial: a validator may come back elsewhere. */
  readonly multiaddrs: () => readonly string[];
}

export interface ValidatorStreamsOptions {
  readonly host: Host;
  /** The validator set; this node may be in it and is left out. */
  readonly validators: readonly ValidatorAddress[];
  /** The raw bytes of one frame. While a promise that it returned is pending, this peer's stream is not read. */
  readonly onFrame: (peerId: string, frame: Uint8Array) => void | Promise<void>;
  readonly onConnected: (peerId: string) => void;
  readonly onDisconnected: (peerId: string) => void;
  /** `not-a-validator`, `stream-direction`, `stream-too-soon`, `stream-replaced`, and what a broken stream ends with. */
  readonly onRefused?: (peerId: string, refusal: Refusal) => void;
  readonly bounds?: OutboxBounds;
  readonly maxFrameBytes?: number;
  /** A number in [0, 1), for the jitter of redialling. */
  readonly random?: () => number;
}

export interface ValidatorStreamStatus {
  readonly peerId: string;
  readonly connected: boolean;
  readonly queuedFrames: number;
  readonly queuedBytes: number;
  /** Since the start. */
  readonly droppedFrames: Readonly<Record<FrameClass, number>>;
  readonly failedDials: number;
}

/** A block of 1 MiB with its certificates, or a few blocks in answer to a fetch. */
const DEFAULT_MAX_FRAME_BYTES = 4 << 20;

/** Handed to libp2p at once; what is urgent waits behind at most this much of what is not. */
const MAX_WRITE_BYTES = 256 << 10;

const DEAD_CONNECTION_CODES: readonly string[] = ['deadline-passed', 'stream-failed'];

const FRAME_DEADLINE_MS = 10_000;
const OPEN_DEADLINE_MS = 5_000;
const REDIAL_MIN_MS = 50;
const REDIAL_MAX_MS = 5_000;
/** The side that does not dial offers a connection when none came in this time: its address may be the known one. */
const OFFER_AFTER_MS = 1_000;
/** A stream that lived this long was a good one: the next redial starts from the shortest delay. */
const GOOD_AFTER_MS = 5_000;
/** A validator that opens stream after stream would make its peers start over again and again. */
const REPLACE_AFTER_MS = 200;

export class ValidatorStreams {
  readonly #options: ValidatorStreamsOptions;
  readonly #links = new Map<string, Link>();
  #unlisten: (() => void) | undefined;

  constructor(options: ValidatorStreamsOptions) {
    this.#options = options;
    this.#setLinks(options.validators);
  }

  /** Accepts streams and starts to dial. */
  async start(): Promise<void> {
    const { host } = this.#options;
    await host.handle(CONSENSUS_PROTOCOL, (stream, remotePeer) => this.#accept(stream, remotePeer));
    this.#unlisten = host.onPeer((peerId, state) => {
      if (state === 'connected') this.#links.get(peerId)?.tryNow();
    });
    for (const link of this.#links.values()) link.start();
  }

  /**
   * Queues a frame. It leaves at the end of this tick, in one write with all others that were queued in it. Consensus
   * frames wait for a peer that is not connected; others are dropped.
   *
   * @returns false when the frame was dropped
   */
  send(peerId: string, frame: Uint8Array, klass: FrameClass): boolean {
    return this.#links.get(peerId)?.send(frame, klass) ?? false;
  }

  /** The set of a new epoch: links to those that left are closed. */
  setValidators(validators: readonly ValidatorAddress[]): void {
    this.#setLinks(validators);
    if (this.#unlisten !== undefined) for (const link of this.#links.values()) link.start();
  }

  connected(): readonly string[] {
    return [...this.#links.values()].filter((link) => link.connected).map((link) => link.peerId);
  }

  status(): readonly ValidatorStreamStatus[] {
    return [...this.#links.values()].map((link) => link.status());
  }

  /** Lets queued frames go, then ends the streams. */
  async stop(): Promise<void> {
    this.#unlisten?.();
    this.#unlisten = undefined;
    await this.#options.host.unhandle(CONSENSUS_PROTOCOL);
    await Promise.all([...this.#links.values()].map((link) => link.stop()));
  }

  #setLinks(validators: readonly ValidatorAddress[]): void {
    const wanted = new Map(validators.map((validator) => [validator.peerId, validator]));
    for (const [peerId, link] of this.#links) {
      if (wanted.has(peerId)) continue;
      this.#links.delete(peerId);
      void link.stop();
    }
    for (const validator of wanted.values()) {
      if (validator.peerId === this.#options.host.peerId) continue;
      const link = this.#links.get(validator.peerId);
      if (link === undefined) this.#links.set(validator.peerId, new Link(validator, this.#options));
      else link.multiaddrs = validator.multiaddrs;
    }
  }

  #accept(stream: Stream, remotePeer: string): void {
    const link = this.#links.get(remotePeer);
    const refusal = link === undefined ? notAValidator(remotePeer) : link.accept(stream);
    if (refusal === undefined) return;
    stream.abort(new CodedError(refusal));
    this.#options.onRefused?.(remotePeer, refusal);
  }
}

function notAValidator(peerId: string): Refusal {
  return { code: 'not-a-validator', message: 'only validators speak the consensus protocol', details: { peerId } };
}

/** This node's side of the stream with one other validator, over any number of connections one after another. */
class Link {
  readonly peerId: string;
  multiaddrs: () => readonly string[];
  readonly #options: ValidatorStreamsOptions;
  readonly #outbox: Outbox;
  /** Whether this side dials and opens the stream. */
  readonly #opens: boolean;
  #stream: FrameStream | undefined;
  #streamSinceMs = 0;
  #flushQueued = false;
  #running = false;
  #dialling = false;
  #failedDials = 0;
  #redial: NodeJS.Timeout | undefined;

  constructor(validator: ValidatorAddress, options: ValidatorStreamsOptions) {
    this.peerId = validator.peerId;
    this.multiaddrs = validator.multiaddrs;
    this.#options = options;
    this.#outbox = new Outbox(options.bounds ?? DEFAULT_OUTBOX_BOUNDS);
    this.#opens = options.host.peerId < validator.peerId;
  }

  get connected(): boolean {
    return this.#stream !== undefined;
  }

  status(): ValidatorStreamStatus {
    const dropped = (klass: FrameClass): number => this.#outbox.dropped(klass);
    return {
      peerId: this.peerId,
      connected: this.connected,
      queuedFrames: this.#outbox.frames,
      queuedBytes: this.#outbox.bytes,
      droppedFrames: { consensus: dropped('consensus'), events: dropped('events'), bulk: dropped('bulk') },
      failedDials: this.#failedDials,
    };
  }

  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#scheduleDial(this.#opens ? 0 : OFFER_AFTER_MS);
  }

  /** A connection with the peer came up, by whoever's dial. */
  tryNow(): void {
    if (!this.#running || !this.#opens || this.connected || this.#dialling) return;
    clearTimeout(this.#redial);
    void this.#dial();
  }

  send(frame: Uint8Array, klass: FrameClass): boolean {
    if (!this.connected && klass !== 'consensus') return false;
    const taken = this.#outbox.push(frame, klass);
    if (taken && !this.#flushQueued && this.connected) {
      this.#flushQueued = true;
      queueMicrotask(() => {
        this.#flushQueued = false;
        this.#flush();
      });
    }
    return taken;
  }

  /** @returns why the inbound stream is not taken, or undefined */
  accept(stream: Stream): Refusal | undefined {
    const peerId = this.peerId;
    if (this.#opens) {
      return { code: 'stream-direction', message: 'the validator with the lower peer id opens', details: { peerId } };
    }
    const ageMs = performance.now() - this.#streamSinceMs;
    if (this.connected && ageMs < REPLACE_AFTER_MS) {
      return { code: 'stream-too-soon', message: 'a stream was opened a moment ago', details: { peerId, ageMs } };
    }
    this.#use(stream);
    return undefined;
  }

  async stop(): Promise<void> {
    this.#running = false;
    clearTimeout(this.#redial);
    const stream = this.#stream;
    if (stream === undefined) return;
    this.#flush();
    this.#drop(stream);
    await stream.finish();
  }

  #use(stream: Stream): void {
    if (this.#stream !== undefined) {
      const replaced = this.#stream;
      this.#drop(replaced);
      const refusal = { code: 'stream-replaced', message: 'the peer opened another stream', details: {} };
      replaced.abort(refusal);
      this.#options.onRefused?.(this.peerId, refusal);
    }
    const { onFrame, onConnected, onRefused, maxFrameBytes = DEFAULT_MAX_FRAME_BYTES } = this.#options;
    const frames: FrameStream = new FrameStream(stream, this.peerId, {
      maxFrameBytes,
      frameDeadlineMs: FRAME_DEADLINE_MS,
      onFrame: (frame) => {
        this.#failedDials = 0;
        return onFrame(this.peerId, frame);
      },
      onWritable: () => this.#flush(),
      onEnd: () => void frames.finish(),
    });
    this.#stream = frames;
    this.#streamSinceMs = performance.now();
    clearTimeout(this.#redial);
    void frames.closed.then((error) => {
      if (this.#stream !== frames) return;
      if (performance.now() - this.#streamSinceMs >= GOOD_AFTER_MS) this.#failedDials = 0;
      this.#drop(frames);
      if (error !== undefined && error.code !== 'stream-closed') onRefused?.(this.peerId, error);
      this.#dialFailed();
    });
    onConnected(this.peerId);
    this.#flush();
  }

  #drop(stream: FrameStream): void {
    if (this.#stream !== stream) return;
    this.#stream = undefined;
    this.#outbox.clearDroppable();
    this.#options.onDisconnected(this.peerId);
  }

  #flush(): void {
    while (this.#stream?.writable === true && !this.#outbox.isEmpty) {
      const frames = this.#outbox.take(MAX_WRITE_BYTES);
      try {
        if (!this.#stream.send(frames)) return;
      } catch {
        // The stream is closed; `closed` tells, and the peers resend what matters once they are connected again.
        return;
      }
    }
  }

  #scheduleDial(delayMs: number): void {
    clearTimeout(this.#redial);
    if (this.#running) this.#redial = setTimeout(() => void this.#dial(), delayMs);
  }

  async #dial(): Promise<void> {
    if (!this.#running || this.connected || this.#dialling) return;
    this.#dialling = true;
    const { host } = this.#options;
    try {
      const options = { deadlineMs: OPEN_DEADLINE_MS };
      const target = { peerId: this.peerId, multiaddrs: this.multiaddrs() };
      if (this.#opens) {
        const stream = await host.open(target, CONSENSUS_PROTOCOL, options);
        if (this.#running) this.#use(stream);
        else stream.abort(new Error('the host stops'));
      } else {
        await host.connect(target, options);
        this.#scheduleDial(REDIAL_MAX_MS);
      }
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      // An open connection on which no stream can be opened is dead, and would be chosen again. Not so one with a peer
      // that is still starting, and has no handler yet.
      if (DEAD_CONNECTION_CODES.includes(error.code)) await host.disconnect(this.peerId).catch(() => {});
      this.#dialFailed();
    } finally {
      this.#dialling = false;
    }
  }

  #dialFailed(): void {
    const { random = Math.random } = this.#options;
    const ceiling = Math.min(REDIAL_MAX_MS, REDIAL_MIN_MS * 2 ** Math.min(this.#failedDials, 16));
    this.#failedDials++;
    const delayMs = ceiling * (0.5 + random() / 2);
    this.#scheduleDial(this.#opens ? delayMs : Math.max(delayMs, OFFER_AFTER_MS));
  }
}
