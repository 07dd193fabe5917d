/**
 * Bytes sent to a Raft transport and the bytes that come back, without any of our codec: what tells where an answer ends
 * is another library's decoder.
 */
import { connect, type Socket } from 'node:net';
import { Unpackr } from 'msgpackr';

const ANSWER_LIMIT_MS = 10_000;

export interface WireAnswer {
  /** Empty when there was none. */
  readonly bytes: Uint8Array;
  /** The error text, then the body. */
  readonly values: readonly unknown[];
  readonly isClosed: boolean;
}

/** An answer is two values of MessagePack: an error text and a body (PROTOCOL of hashicorp/raft, `net_transport.go`). */
const VALUES_OF_AN_ANSWER = 2;

export class WireClient {
  readonly #socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  #isClosed = false;
  #changed: () => void = () => undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#changed();
    });
    socket.on('error', () => {
      // A close, with whatever reason, follows.
    });
    socket.on('close', () => {
      this.#isClosed = true;
      this.#changed();
    });
  }

  /**
   * @param address `host:port`
   * @param localAddress the IP address to come from
   */
  static async to(address: string, localAddress?: string): Promise<WireClient> {
    const [host = '', port] = address.split(':');
    const from = localAddress === undefined ? {} : { localAddress };
    const socket = connect({ port: Number(port), host, ...from }).setNoDelay(true);
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    return new WireClient(socket);
  }

  /**
   * Sends one request and waits for one whole answer, or for the end of the connection.
   *
   * @param pieceBytes in how large pieces the request is written, each flushed; whole without it
   */
  async ask(request: Uint8Array, pieceBytes = request.length): Promise<WireAnswer> {
    for (let i = 0; i < request.length; i += pieceBytes) {
      const piece = request.subarray(i, i + pieceBytes);
      await new Promise<void>((resolve) => this.#socket.write(piece, () => resolve()));
    }
    return this.answer();
  }

  /** The next whole answer, of a request that was sent before. */
  async answer(): Promise<WireAnswer> {
    const late = AbortSignal.timeout(ANSWER_LIMIT_MS);
    for (;;) {
      const whole = firstAnswer(this.#received);
      if (whole !== undefined) {
        this.#received = this.#received.subarray(whole.bytes.length);
        return { ...whole, isClosed: false };
      }
      if (this.#isClosed) return { bytes: this.#received, values: [], isClosed: true };
      await new Promise<void>((resolve, reject) => {
        this.#changed = resolve;
        late.onabort = () => reject(new Error(`no answer within ${ANSWER_LIMIT_MS} ms`));
        if (late.aborted) reject(new Error(`no answer within ${ANSWER_LIMIT_MS} ms`));
      });
    }
  }

  /** Writes without waiting for an answer. */
  send(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  close(): void {
    this.#socket.destroy();
  }
}

function firstAnswer(received: Uint8Array): Pick<WireAnswer, 'bytes' | 'values'> | undefined {
  const values: unknown[] = [];
  let end = 0;
  const decoder = new Unpackr({ useRecords: false, mapsAsObjects: true });
  try {
    decoder.unpackMultiple(received, (value, _start, after) => {
      values.push(value);
      end = after ?? 0;
      return values.length < VALUES_OF_AN_ANSWER;
    });
  } catch (error) {
    if (!(error as { incomplete?: boolean }).incomplete) throw error;
  }
  return values.length < VALUES_OF_AN_ANSWER ? undefined : { bytes: received.subarray(0, end), values };
}
