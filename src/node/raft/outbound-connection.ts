/** One connection to another server: any number of calls under way, which are answered in their order. */
import type { Refusal } from '../../base/result.ts';
import type { ByteConnection } from '../../net/byte-streams.ts';
import type { CallFailure } from '../../raft/messages.ts';
import type { WireLimits } from '../../raft/wire/limits.ts';
import type { RequestKind } from '../../raft/wire/request-codec.ts';
import { ResponseParser } from '../../raft/wire/response-parser.ts';
import type { WireResponse } from '../../raft/wire/response-codec.ts';
import type { CallResult } from './transport.ts';

export interface OutboundCall {
  readonly kind: RequestKind;
  /** The whole request. */
  readonly bytes: Uint8Array;
  /** By `performance.now()`. Of the calls of one connection none has a later deadline than one made after it. */
  readonly deadlineAtMs: number;
  readonly settle: (result: CallResult) => void;
}

export class OutboundConnection {
  readonly #connection: ByteConnection;
  readonly #parser: ResponseParser;
  readonly #onClosed: () => void;
  #outstanding: OutboundCall[] = [];
  #unsent: Uint8Array[] = [];
  #wakers: (() => void)[] = [];
  #answered = 0;
  #deadline: NodeJS.Timeout | undefined;
  #isClosed = false;

  /** @param onClosed once its calls are settled */
  constructor(connection: ByteConnection, wireLimits: WireLimits | undefined, onClosed: () => void = () => {}) {
    this.#connection = connection;
    this.#parser = new ResponseParser(wireLimits);
    this.#onClosed = onClosed;
    connection.start({
      onBytes: (bytes) => this.#onBytes(bytes),
      onWritable: () => this.#onWritable(),
      onClosed: () => this.#close('closed', CLOSED),
    });
  }

  get isOpen(): boolean {
    return this.#connection.isOpen;
  }

  /** Answers that came. None: whoever is there has not shown yet that it speaks the protocol. */
  get answered(): number {
    return this.#answered;
  }

  call(call: OutboundCall): void {
    if (!this.isOpen) return call.settle({ ok: false, failure: 'closed', refusal: CLOSED });
    this.#outstanding.push(call);
    this.#send(call.bytes);
    this.#deadline ??= this.#timer(call.deadlineAtMs - performance.now());
  }

  /** Sends bytes that belong to the last call, no faster than they are taken. @returns false once it is closed */
  async send(bytes: Uint8Array): Promise<boolean> {
    this.#send(bytes);
    while (this.isOpen && this.#connection.isFull) await new Promise<void>((resolve) => this.#wakers.push(resolve));
    return this.isOpen;
  }

  /** Ends it well; what is under way fails as `closed`. */
  close(): void {
    this.#connection.close();
    this.#fail('closed', CLOSED);
  }

  destroy(failure: CallFailure, refusal: Refusal): void {
    this.#close(failure, refusal);
    this.#connection.destroy();
  }

  #send(bytes: Uint8Array): void {
    if (this.#connection.isFull || this.#unsent.length > 0) this.#unsent.push(bytes);
    else this.#connection.write(bytes);
  }

  #onWritable(): void {
    while (this.#unsent.length > 0 && !this.#connection.isFull)
      this.#connection.write(this.#unsent.shift() as Uint8Array);
    if (!this.#connection.isFull) this.#wakeAll();
  }

  #onBytes(bytes: Uint8Array): void {
    this.#parser.push(bytes);
    for (let call = this.#outstanding[0]; call !== undefined; call = this.#outstanding[0]) {
      const next = this.#parser.next(call.kind);
      if (next === undefined) return;
      if (!next.ok) return this.destroy('error', next.refusal);
      this.#outstanding.shift();
      this.#answered++;
      call.settle(resultOf(next.value));
    }
    if (this.#parser.hasBytes) this.destroy('closed', UNASKED);
  }

  #onDeadline(): void {
    this.#deadline = undefined;
    const [first] = this.#outstanding;
    if (first === undefined) return;
    const leftMs = first.deadlineAtMs - performance.now();
    if (leftMs > 0) this.#deadline = this.#timer(leftMs);
    else {
      // An answer that comes later would be taken for that of the next call.
      this.#outstanding.shift();
      first.settle({ ok: false, failure: 'timeout', refusal: TOO_LATE });
      this.destroy('closed', CLOSED);
    }
  }

  #timer(leftMs: number): NodeJS.Timeout {
    return setTimeout(() => this.#onDeadline(), Math.min(leftMs, MAX_TIMER_MS));
  }

  #close(failure: CallFailure, refusal: Refusal): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#fail(failure, refusal);
    this.#onClosed();
  }

  /** The first call fails for the reason; what was to be answered after it is closed on. */
  #fail(failure: CallFailure, refusal: Refusal): void {
    clearTimeout(this.#deadline);
    this.#deadline = undefined;
    const [first, ...others] = this.#outstanding;
    this.#outstanding = [];
    this.#unsent = [];
    first?.settle({ ok: false, failure, refusal });
    for (const { settle } of others) settle({ ok: false, failure: 'closed', refusal: CLOSED });
    this.#wakeAll();
  }

  #wakeAll(): void {
    const wakers = this.#wakers;
    this.#wakers = [];
    for (const wake of wakers) wake();
  }
}

export const CLOSED: Refusal = { code: 'stream-closed', message: 'the peer closed the connection', details: {} };
const TOO_LATE: Refusal = { code: 'deadline-passed', message: 'the peer did not answer in time', details: {} };
const UNASKED: Refusal = { code: 'answer-invalid', message: 'the peer answered what nobody asked', details: {} };

function resultOf({ error, response, sender }: WireResponse): CallResult {
  if (error === '' && response !== null) return { ok: true, response, sender };
  const refusal = { code: 'raft-call-refused', message: error.slice(0, MAX_SHOWN_LENGTH), details: {} };
  return { ok: false, failure: 'error', refusal };
}

const MAX_SHOWN_LENGTH = 500;
/** A longer one would fire at once. A large snapshot may take longer. */
const MAX_TIMER_MS = 2 ** 31 - 1;
