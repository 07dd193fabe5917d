/** The frames that wait for one validator, bounded by class; what may be lost goes first, what is urgent leaves first. */
import { assert } from '../base/assert.ts';

/**
 * `consensus`: votes, timeouts, proposals, certificates. When full, the oldest goes: rounds only grow, so a frame of the
 * current round is never the one that is lost. `events` (submissions on their way) and `bulk` (sync, evidence): when
 * full, the new one is refused.
 */
export type FrameClass = 'consensus' | 'events' | 'bulk';

const CLASSES: readonly FrameClass[] = ['consensus', 'events', 'bulk'];

export interface OutboxBound {
  readonly maxFrames: number;
  readonly maxBytes: number;
}

export type OutboxBounds = Readonly<Record<FrameClass, OutboxBound>>;

export const DEFAULT_OUTBOX_BOUNDS: OutboxBounds = {
  consensus: { maxFrames: 256, maxBytes: 8 << 20 },
  events: { maxFrames: 1024, maxBytes: 4 << 20 },
  bulk: { maxFrames: 64, maxBytes: 8 << 20 },
};

export class Outbox {
  readonly #queues: Readonly<Record<FrameClass, FrameQueue>>;

  constructor(bounds: OutboxBounds = DEFAULT_OUTBOX_BOUNDS) {
    this.#queues = {
      consensus: new FrameQueue(bounds.consensus),
      events: new FrameQueue(bounds.events),
      bulk: new FrameQueue(bounds.bulk),
    };
  }

  /** @returns false when this frame was not taken */
  push(frame: Uint8Array, klass: FrameClass): boolean {
    const queue = this.#queues[klass];
    if (klass === 'consensus') {
      queue.push(frame);
      queue.dropOldest();
      return true;
    }
    return queue.pushIfRoom(frame);
  }

  /** The next frames to write, the most urgent class first, in order within one; more than one only up to `maxBytes`. */
  take(maxBytes: number): Uint8Array[] {
    const frames: Uint8Array[] = [];
    let bytes = 0;
    for (const klass of CLASSES) {
      const queue = this.#queues[klass];
      for (let frame = queue.peek(); frame !== undefined; frame = queue.peek()) {
        if (frames.length > 0 && bytes + frame.length > maxBytes) return frames;
        frames.push(frame);
        bytes += frame.length;
        queue.shift();
      }
    }
    return frames;
  }

  get isEmpty(): boolean {
    return CLASSES.every((klass) => this.#queues[klass].length === 0);
  }

  get frames(): number {
    return CLASSES.reduce((sum, klass) => sum + this.#queues[klass].length, 0);
  }

  get bytes(): number {
    return CLASSES.reduce((sum, klass) => sum + this.#queues[klass].bytes, 0);
  }

  dropped(klass: FrameClass): number {
    return this.#queues[klass].dropped;
  }

  /** Forgets what is of no use to a peer that comes back later; consensus frames stay. */
  clearDroppable(): void {
    this.#queues.events.clear();
    this.#queues.bulk.clear();
  }
}

class FrameQueue {
  bytes = 0;
  dropped = 0;
  readonly #bound: OutboxBound;
  #frames: Uint8Array[] = [];
  #head = 0;

  constructor(bound: OutboxBound) {
    this.#bound = bound;
  }

  get length(): number {
    return this.#frames.length - this.#head;
  }

  peek(): Uint8Array | undefined {
    return this.#frames[this.#head];
  }

  push(frame: Uint8Array): void {
    this.#frames.push(frame);
    this.bytes += frame.length;
  }

  pushIfRoom(frame: Uint8Array): boolean {
    if (this.length >= this.#bound.maxFrames || this.bytes + frame.length > this.#bound.maxBytes) {
      this.dropped++;
      return false;
    }
    this.push(frame);
    return true;
  }

  /** Back within the bound; the newest stays, whatever its size. */
  dropOldest(): void {
    while (this.length > 1 && (this.length > this.#bound.maxFrames || this.bytes > this.#bound.maxBytes)) {
      this.shift();
      this.dropped++;
    }
  }

  shift(): void {
    const frame = this.peek();
    assert(frame !== undefined, 'a frame waits');
    this.bytes -= frame.length;
    this.#head++;
    // The front is cut off in steps, so that a queue that is never empty does not keep what it sent.
    if (this.#head === this.#frames.length || this.#head === 256) {
      this.#frames = this.#frames.slice(this.#head);
      this.#head = 0;
    }
  }

  clear(): void {
    this.dropped += this.length;
    this.#frames = [];
    this.#head = this.bytes = 0;
  }
}
