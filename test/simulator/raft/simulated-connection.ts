/**
 * One connection between two processes: bytes in order, in whatever pieces, each way by itself. What a cut holds up goes
 * on when it ends, as what TCP sends again does; what a loss hits is the connection.
 */
import type { ByteConnection, ByteHandlers, RemoteIdentity } from '../../../src/net/byte-streams.ts';
import type { Owner } from '../scheduler.ts';

/** Beyond this a connection is full. */
const HIGH_WATER_BYTES = 64 * 1024;

/** A process as its connections see it. */
export interface Endpoint extends Owner {
  readonly machine: number;
  /** @returns whether it lives on */
  mayActOn(what: 'send'): boolean;
}

/** What lies between the ends. */
export interface Between {
  /** Bytes leave an end: sooner or later, or never, `arrived` is called for each piece. */
  carry(from: ConnectionEnd, bytes: Uint8Array): void;
  /** One end is closed: what becomes of the other. @param isGentle what was written still arrives before that */
  ended(from: ConnectionEnd, isGentle: boolean): void;
  /** Runs as this process, soon. */
  soon(owner: Owner, run: () => void): void;
}

export class ConnectionEnd implements ByteConnection {
  readonly remote: RemoteIdentity;
  readonly process: Endpoint;
  /** Whether it dialled: it sends the requests. */
  readonly isDialler: boolean;
  isOpen = true;
  readonly #between: Between;
  readonly #received: Uint8Array[] = [];
  #handlers: ByteHandlers | null = null;
  #isPaused = false;
  #isFull = false;
  #unreadBytes = 0;
  peer: ConnectionEnd | null = null;

  constructor(process: Endpoint, remote: RemoteIdentity, isDialler: boolean, between: Between) {
    this.process = process;
    this.remote = remote;
    this.isDialler = isDialler;
    this.#between = between;
  }

  get isFull(): boolean {
    return this.#isFull;
  }

  start(handlers: ByteHandlers): void {
    this.#handlers = handlers;
    this.#between.soon(this.process, () => this.#hand());
    if (!this.isOpen) this.#between.soon(this.process, () => handlers.onClosed());
  }

  write(bytes: Uint8Array): boolean {
    if (!this.isOpen || !this.process.mayActOn('send')) return false;
    this.#unreadBytes += bytes.length;
    this.#between.carry(this, bytes);
    if (this.#unreadBytes > HIGH_WATER_BYTES) this.#isFull = true;
    return !this.#isFull;
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#between.soon(this.process, () => this.#hand());
  }

  close(): void {
    this.#end(true);
  }

  destroy(): void {
    this.#end(false);
  }

  /** Bytes of the other end. */
  arrived(bytes: Uint8Array): void {
    if (!this.isOpen) return;
    this.#received.push(bytes);
    this.#hand();
  }

  /** The other end is closed, or what lies between is of no use any more. */
  wasClosed(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.#handlers?.onClosed();
  }

  #end(isGentle: boolean): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.#between.ended(this, isGentle);
    this.#between.soon(this.process, () => this.#handlers?.onClosed());
  }

  #hand(): void {
    while (this.#handlers !== null && this.isOpen && !this.#isPaused && !this.process.ended) {
      const bytes = this.#received.shift();
      if (bytes === undefined) return;
      this.#handlers.onBytes(bytes);
      if (this.peer !== null) this.peer.#taken(bytes.length);
    }
  }

  #taken(bytes: number): void {
    this.#unreadBytes -= bytes;
    if (!this.#isFull || this.#unreadBytes > HIGH_WATER_BYTES / 2) return;
    this.#isFull = false;
    this.#between.soon(this.process, () => {
      if (this.isOpen) this.#handlers?.onWritable();
    });
  }
}
