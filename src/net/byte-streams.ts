/**
 * Connections that carry bytes both ways and nothing else: what a protocol with a framing of its own runs over. The same
 * protocol runs over TCP (`tcp-streams.ts`) and over libp2p streams (`libp2p-streams.ts`).
 */

/** Who is at the other end: proved by a handshake, or no more than where it comes from. */
export type RemoteIdentity =
  { readonly kind: 'peer'; readonly peerId: string } | { readonly kind: 'address'; readonly ip: string };

export interface ByteHandlers {
  /** The next bytes; they belong to the handler. */
  readonly onBytes: (bytes: Uint8Array) => void;
  /** More is taken again after `write` said false. */
  readonly onWritable: () => void;
  /** The connection is of no more use in either direction: the last that is told, once, whoever ended it. */
  readonly onClosed: () => void;
}

export interface ByteConnection {
  readonly remote: RemoteIdentity;
  /** False once it is closed by either side: what is written then is lost. */
  readonly isOpen: boolean;
  /** What was written waits for the other side: whoever goes on regardless grows the memory. */
  readonly isFull: boolean;
  /** Begins to read. Called once; nothing is lost before. */
  start(handlers: ByteHandlers): void;
  /**
   * Takes the bytes, which must not be changed afterwards. What is written in one tick leaves together.
   *
   * @returns false when it is full
   */
  write(bytes: Uint8Array): boolean;
  /** No bytes are told until `resume`, and soon the other side cannot send any more. */
  pause(): void;
  resume(): void;
  /** Lets what was written go, then ends both directions; by force where the other side does not take it in time. */
  close(): void;
  /** Ends both directions at once. */
  destroy(): void;
}

export interface ByteStreams {
  /**
   * Accepts connections. Whoever is told of one must `start` or `destroy` it.
   *
   * @throws CodedError `listen-failed`
   */
  listen(onConnection: (connection: ByteConnection) => void): Promise<void>;
  /**
   * Never rejects with anything but a coded error.
   *
   * @param address in the words of the transport: `host:port`, or a peer id
   * @throws CodedError `dial-failed`, `deadline-passed`, and what else opening a stream may end with
   */
  dial(address: string, deadlineMs: number): Promise<ByteConnection>;
  /** Accepts no more; connections that are open are whose they were given to. */
  stop(): Promise<void>;
}
