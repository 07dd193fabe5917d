/** Byte connections over plain TCP: for protocols of others that know no more. Nobody's identity is proved. */
import { createServer, Socket, type AddressInfo, type Server, type SocketConstructorOpts } from 'node:net';
import type { DuplexOptions } from 'node:stream';
import { assert } from '../base/assert.ts';
import { hostPortOf } from '../base/host-port.ts';
import { codedError } from '../base/result.ts';
import type { ByteConnection, ByteHandlers, ByteStreams, RemoteIdentity } from './byte-streams.ts';

/** What may wait in a socket before it says that it is full. */
const MAX_UNSENT_BYTES = 1 << 20;
/** A connection that was closed here and is not closed by the other side in this time is cut off. */
const CLOSE_DEADLINE_MS = 1_000;
const KEEP_ALIVE_MS = 15_000;
/** Connections that came and that nobody was told of. */
const BACKLOG = 511;

export interface TcpStreamsOptions {
  /** `host:port`; port 0 lets the system choose. None: no connection is accepted. */
  readonly listen?: string;
  /** The IP address that others see connections come from, where this machine has several. */
  readonly localAddress?: string;
}

export class TcpStreams implements ByteStreams {
  readonly #listen: string | undefined;
  readonly #localAddress: string | undefined;
  readonly #server: Server;
  #onConnection: (connection: ByteConnection) => void = (connection) => connection.destroy();

  constructor({ listen, localAddress }: TcpStreamsOptions) {
    this.#listen = listen;
    this.#localAddress = localAddress;
    this.#server = createServer({ noDelay: true, pauseOnConnect: true, highWaterMark: MAX_UNSENT_BYTES }, (socket) => {
      this.#onConnection(new TcpConnection(socket));
    });
  }

  /** Where it listens, `host:port` with the port that the system chose. */
  get address(): string {
    const { address, port } = this.#server.address() as AddressInfo;
    return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
  }

  async listen(onConnection: (connection: ByteConnection) => void): Promise<void> {
    if (this.#listen === undefined) return;
    this.#onConnection = onConnection;
    const target = hostPortOf(this.#listen);
    if (target === undefined) throw listenFailed(this.#listen, 'not of the form host:port');
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#server.once('error', (error) => reject(listenFailed(this.#listen ?? '', error.message, error)));
    this.#server.listen({ ...target, backlog: BACKLOG }, resolve);
    await promise;
    // What fails from now on is a single accept, for want of descriptors: the next one may succeed.
    this.#server.removeAllListeners('error').on('error', () => {});
  }

  async dial(address: string, deadlineMs: number): Promise<ByteConnection> {
    const target = hostPortOf(address);
    if (target === undefined) {
      throw codedError('address-invalid', 'the address is not of the form host:port', { address });
    }
    const options: SocketConstructorOpts & DuplexOptions = { writableHighWaterMark: MAX_UNSENT_BYTES };
    const socket = new Socket(options);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const deadline = setTimeout(() => {
      reject(codedError('deadline-passed', 'the peer did not answer in time', { address, deadlineMs }));
    }, deadlineMs);
    socket.once('error', (error) => {
      const details = { address, reason: error.message };
      reject(codedError('dial-failed', 'the peer could not be reached', details, { cause: error }));
    });
    socket.setNoDelay(true).setKeepAlive(true, KEEP_ALIVE_MS);
    const local = this.#localAddress === undefined ? {} : { localAddress: this.#localAddress };
    socket.connect({ ...target, ...local }, resolve);
    try {
      await promise;
      return new TcpConnection(socket);
    } catch (error) {
      socket.destroy();
      throw error;
    } finally {
      clearTimeout(deadline);
    }
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    // Its callback comes when the last connection has gone, which is not waited for.
    this.#server.close();
  }
}

function listenFailed(listen: string, reason: string, cause?: Error): Error {
  return codedError('listen-failed', 'the TCP port could not be opened', { listen, reason }, { cause });
}

class TcpConnection implements ByteConnection {
  readonly remote: RemoteIdentity;
  readonly #socket: Socket;
  #handlers: ByteHandlers | undefined;
  #isOpen = true;
  #isCorked = false;
  #closeDeadline: NodeJS.Timeout | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.remote = { kind: 'address', ip: socket.remoteAddress ?? '' };
    // Told by `close`, which follows.
    socket.on('error', () => {});
    // Nobody here has anything more to say to a side that has ended.
    socket.on('end', () => this.close());
    socket.on('close', () => this.#onClose());
    socket.on('drain', () => this.#handlers?.onWritable());
  }

  get isOpen(): boolean {
    return this.#isOpen && !this.#socket.destroyed;
  }

  get isFull(): boolean {
    return this.#socket.writableNeedDrain;
  }

  start(handlers: ByteHandlers): void {
    assert(this.#handlers === undefined, 'a connection is started once');
    this.#handlers = handlers;
    if (this.#socket.closed) return queueMicrotask(() => handlers.onClosed());
    this.#socket.on('data', (bytes) => {
      if (this.isOpen) handlers.onBytes(bytes);
    });
    this.#socket.resume();
  }

  write(bytes: Uint8Array): boolean {
    if (!this.isOpen) return false;
    if (!this.#isCorked) {
      this.#isCorked = true;
      this.#socket.cork();
      process.nextTick(() => {
        this.#isCorked = false;
        this.#socket.uncork();
      });
    }
    return this.#socket.write(bytes);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  close(): void {
    if (!this.isOpen) return;
    this.#isOpen = false;
    this.#socket.end();
    // What still comes is passed over, so that the other side's end is seen.
    this.#socket.resume();
    this.#closeDeadline = setTimeout(() => this.#socket.destroy(), CLOSE_DEADLINE_MS);
  }

  destroy(): void {
    this.#isOpen = false;
    this.#socket.destroy();
  }

  #onClose(): void {
    clearTimeout(this.#closeDeadline);
    this.#isOpen = false;
    this.#handlers?.onClosed();
  }
}
