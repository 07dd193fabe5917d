/** Byte connections as libp2p streams of one protocol: the other side has proved its peer id, which is its address. */
import type { Stream, StreamMessageEvent } from '@libp2p/interface';
import { assert } from '../base/assert.ts';
import { CodedError } from '../base/result.ts';
import type { ByteConnection, ByteHandlers, ByteStreams, RemoteIdentity } from './byte-streams.ts';
import type { Host } from './host.ts';

/** hashicorp/raft over libp2p, as go-libp2p-raft opens it: the bytes of a TCP connection, unchanged. */
export const RAFT_PROTOCOL = '/raft/1.0.0/rpc';

/** A stream that was closed here and is not ended by the other side in this time is reset. */
const CLOSE_DEADLINE_MS = 1_000;

const DEAD_CONNECTION_CODES: readonly string[] = ['deadline-passed', 'stream-failed'];

export interface Libp2pStreamsOptions {
  readonly host: Host;
  readonly protocol: string;
  /** Where a peer may be reached when it is not connected already. */
  readonly multiaddrsOf?: (peerId: string) => readonly string[];
}

export class Libp2pStreams implements ByteStreams {
  readonly #options: Libp2pStreamsOptions;

  constructor(options: Libp2pStreamsOptions) {
    this.#options = options;
  }

  /** The host has no limit of streams for a protocol: Go peers open one for each heartbeat and each vote. */
  async listen(onConnection: (connection: ByteConnection) => void): Promise<void> {
    const { host, protocol } = this.#options;
    await host.handle(protocol, (stream, remotePeer) => onConnection(new StreamConnection(stream, remotePeer)));
  }

  /** @param address a peer id */
  async dial(address: string, deadlineMs: number): Promise<ByteConnection> {
    const { host, protocol, multiaddrsOf } = this.#options;
    const target = { peerId: address, multiaddrs: multiaddrsOf?.(address) ?? [] };
    // The clock of the host counts whole milliseconds.
    const options = { deadlineMs: Math.ceil(deadlineMs) };
    try {
      return new StreamConnection(await host.open(target, protocol, options), address);
    } catch (error) {
      // An open connection on which no stream can be opened is dead, and would be chosen again.
      const isDead = error instanceof CodedError && DEAD_CONNECTION_CODES.includes(error.code);
      if (isDead) await host.disconnect(address).catch(() => {});
      throw error;
    }
  }

  async stop(): Promise<void> {
    await this.#options.host.unhandle(this.#options.protocol);
  }
}

class StreamConnection implements ByteConnection {
  readonly remote: RemoteIdentity;
  readonly #stream: Stream;
  #handlers: ByteHandlers | undefined;
  #isOpen = true;
  #isToldClosed = false;
  #closeDeadline: NodeJS.Timeout | undefined;

  constructor(stream: Stream, remotePeer: string) {
    this.#stream = stream;
    this.remote = { kind: 'peer', peerId: remotePeer };
    stream.addEventListener('drain', () => this.#onDrain());
    stream.addEventListener('end', () => this.#onEnd());
    stream.addEventListener('close', () => this.#onClose());
  }

  get isOpen(): boolean {
    return this.#isOpen && this.#stream.status === 'open';
  }

  get isFull(): boolean {
    return this.#stream.writableNeedsDrain;
  }

  start(handlers: ByteHandlers): void {
    assert(this.#handlers === undefined, 'a connection is started once');
    this.#handlers = handlers;
    this.#stream.addEventListener('message', ({ data }: StreamMessageEvent) => {
      if (this.isOpen) handlers.onBytes(data.subarray());
    });
    queueMicrotask(() => {
      if (this.#stream.readableEnded) this.#onEnd();
      if (this.#stream.status !== 'open') this.#onClose();
    });
  }

  write(bytes: Uint8Array): boolean {
    if (!this.isOpen) return false;
    try {
      return this.#stream.send(bytes);
    } catch {
      // Closed within this tick, which its own event tells.
      return false;
    }
  }

  pause(): void {
    if (this.#stream.readStatus === 'readable') this.#stream.pause();
  }

  resume(): void {
    if (this.#stream.readStatus === 'paused') this.#stream.resume();
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    // What still comes is passed over, so that the other side's end is seen.
    this.resume();
    this.#closeDeadline = setTimeout(() => this.destroy(), CLOSE_DEADLINE_MS);
    this.#stream.close({ signal: AbortSignal.timeout(CLOSE_DEADLINE_MS) }).catch(() => this.destroy());
  }

  destroy(): void {
    this.#isOpen = false;
    this.#stream.abort(new CodedError({ code: 'stream-closed', message: 'the stream was closed', details: {} }));
    this.#onClose();
  }

  #onDrain(): void {
    // libp2p goes on with its own buffer in a microtask, and may be full again after it.
    queueMicrotask(() => {
      if (this.isOpen && !this.isFull) this.#handlers?.onWritable();
    });
  }

  /** The other side has ended its direction; nobody here has anything more to say to it. */
  #onEnd(): void {
    this.close();
  }

  #onClose(): void {
    clearTimeout(this.#closeDeadline);
    this.#isOpen = false;
    if (this.#handlers === undefined || this.#isToldClosed) return;
    this.#isToldClosed = true;
    // Never within the call that closed it.
    queueMicrotask(() => this.#handlers?.onClosed());
  }
}
