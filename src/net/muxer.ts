/**
 * Yamux with fewer and larger writes. js-libp2p's yamux hands its connection a header and a body apart, each a TLS
 * record of its own, and answers every frame of data with a window update, each a packet that wakes the other side for
 * nothing: at the sizes of votes that doubles the cost of a message. Here what a connection's streams send within a tick
 * goes out in one write, and window updates wait to ride along with data until they matter.
 *
 * Waiting updates cannot stall a sender: they hold back a sixteenth of the smallest window (256 KiB), so that
 * it may always send on, and what it sends brings the update over the bound.
 *
 * The format: https://github.com/hashicorp/yamux/blob/master/spec.md. A header is version 0, type, flags (2 bytes), stream
 * id (4 bytes), length (4 bytes), big-endian.
 */
import type { MessageStream, StreamMuxerFactory } from '@libp2p/interface';
import { yamux } from '@libp2p/yamux';
import { Uint8ArrayList } from 'uint8arraylist';

export type YamuxOptions = NonNullable<Parameters<typeof yamux>[0]>;

type Components = Parameters<ReturnType<typeof yamux>>;

const HEADER_BYTES = 12;
const TYPE_WINDOW_UPDATE = 1;

/** Credit for one stream that waits for a ride; with this much it goes at once. */
const MAX_HELD_CREDIT_BYTES = 16 << 10;
const MAX_HELD_STREAMS = 64;

/** A write of a tick that has grown to this goes before the tick's end. */
const MAX_WRITE_BYTES = 64 << 10;

/** From here on data is written as it is. */
const LARGE_BYTES = 8 << 10;

export function coalescingYamux(options: YamuxOptions): (...components: Components) => StreamMuxerFactory {
  const create = yamux(options);
  return (...components) => {
    const factory = create(...components);
    const createStreamMuxer = factory.createStreamMuxer.bind(factory);
    factory.createStreamMuxer = (connection) => {
      const writes = new CoalescedWrites(connection);
      connection.send = (data) => writes.send(data);
      return createStreamMuxer(connection);
    };
    return factory;
  };
}

/** In place of a connection's `send`, with the same contract: false means wait for `drain`. */
export class CoalescedWrites {
  readonly #connection: MessageStream;
  readonly #write: (data: Uint8Array | Uint8ArrayList) => boolean;
  readonly #credit = new Map<number, number>();
  #pending = new Uint8ArrayList();
  #flushQueued = false;

  constructor(connection: MessageStream) {
    this.#connection = connection;
    this.#write = connection.send.bind(connection);
  }

  send(data: Uint8Array | Uint8ArrayList): boolean {
    if (this.#hold(data)) return true;
    this.#takeCredit();
    if (data.byteLength >= LARGE_BYTES || this.#connection.writableNeedsDrain) {
      // Nothing is gained by holding back what is large, or by copying it.
      if (this.#pending.byteLength > 0) this.#flush();
      return this.#write(data);
    }
    this.#pending.append(data);
    if (this.#pending.byteLength >= MAX_WRITE_BYTES) return this.#flush();
    if (!this.#flushQueued) {
      this.#flushQueued = true;
      queueMicrotask(() => this.#flushQueuedWrites());
    }
    return true;
  }

  #flushQueuedWrites(): void {
    this.#flushQueued = false;
    if (this.#pending.byteLength === 0) return;
    try {
      this.#flush();
    } catch {
      // The connection was closed within this tick, which its streams are told by its own event.
      this.#credit.clear();
    }
  }

  #flush(): boolean {
    const pending = this.#pending;
    this.#pending = new Uint8ArrayList();
    return this.#write(pending.subarray());
  }

  /** @returns whether the data is a window update that waits */
  #hold(data: Uint8Array | Uint8ArrayList): boolean {
    if (data.byteLength !== HEADER_BYTES) return false;
    const header = data.subarray();
    const view = new DataView(header.buffer, header.byteOffset, HEADER_BYTES);
    const isCredit = view.getUint8(1) === TYPE_WINDOW_UPDATE && view.getUint16(2) === 0;
    if (!isCredit) return false;
    const streamId = view.getUint32(4);
    const credit = (this.#credit.get(streamId) ?? 0) + view.getUint32(8);
    if (credit >= MAX_HELD_CREDIT_BYTES || this.#credit.size >= MAX_HELD_STREAMS) return false;
    this.#credit.set(streamId, credit);
    return true;
  }

  #takeCredit(): void {
    for (const [streamId, credit] of this.#credit) {
      const header = new DataView(new ArrayBuffer(HEADER_BYTES));
      header.setUint8(1, TYPE_WINDOW_UPDATE);
      header.setUint32(4, streamId);
      header.setUint32(8, credit);
      this.#pending.append(new Uint8Array(header.buffer));
    }
    this.#credit.clear();
  }
}
