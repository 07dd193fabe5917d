/** The calls of one channel to one peer, all on one connection in their order: heartbeats, or entries. */
import { CodedError } from '../../base/result.ts';
import type { WireLimits } from '../../raft/wire/limits.ts';
import type { Dialler } from './dialler.ts';
import { CLOSED, OutboundConnection, type OutboundCall } from './outbound-connection.ts';
import type { CallResult, ClientLimits } from './transport.ts';

export class Pipeline {
  readonly #dialler: Dialler;
  readonly #limits: ClientLimits;
  readonly #wireLimits: WireLimits | undefined;
  #connection: OutboundConnection | undefined;
  #isDialling = false;
  /** Until there is a connection. */
  #queued: OutboundCall[] = [];
  #calls = 0;
  #bytes = 0;
  #isStopped = false;

  constructor(dialler: Dialler, limits: ClientLimits, wireLimits: WireLimits | undefined) {
    this.#dialler = dialler;
    this.#limits = limits;
    this.#wireLimits = wireLimits;
  }

  /** Calls that are not settled. */
  get calls(): number {
    return this.#calls;
  }

  call(call: OutboundCall): void {
    const { maxCallsWaiting, maxBytesWaiting } = this.#limits;
    const { bytes, settle } = call;
    if (this.#calls >= maxCallsWaiting || (this.#calls > 0 && this.#bytes + bytes.length > maxBytesWaiting)) {
      const details = { calls: this.#calls, bytes: this.#bytes };
      const refusal = { code: 'busy', message: 'too many calls of the peer are not answered', details };
      return settle({ ok: false, failure: 'unreachable', refusal });
    }
    this.#calls++;
    this.#bytes += bytes.length;
    this.#place({
      ...call,
      settle: (result) => {
        this.#calls--;
        this.#bytes -= bytes.length;
        if (result.ok || result.failure === 'error') this.#dialler.succeeded();
        settle(result);
      },
    });
  }

  stop(): void {
    this.#isStopped = true;
    this.#connection?.close();
    this.#settleQueued({ ok: false, failure: 'closed', refusal: CLOSED });
  }

  #place(call: OutboundCall): void {
    if (this.#connection?.isOpen === true) return this.#connection.call(call);
    const refusal = this.#isStopped ? CLOSED : this.#isDialling ? undefined : this.#dialler.waiting;
    if (refusal !== undefined) return call.settle({ ok: false, failure: 'unreachable', refusal });
    this.#queued.push(call);
    if (!this.#isDialling) void this.#dial(call.deadlineAtMs);
  }

  async #dial(deadlineAtMs: number): Promise<void> {
    this.#isDialling = true;
    const connected = await this.#connect(deadlineAtMs);
    this.#isDialling = false;
    if (connected instanceof CodedError) {
      return this.#settleQueued({ ok: false, failure: 'unreachable', refusal: connected });
    }
    if (this.#isStopped) return connected.close();
    this.#connection = connected;
    for (const call of this.#queued.splice(0)) connected.call(call);
  }

  async #connect(deadlineAtMs: number): Promise<OutboundConnection | CodedError> {
    try {
      const connection: OutboundConnection = new OutboundConnection(
        await this.#dialler.dial(deadlineAtMs),
        this.#wireLimits,
        () => this.#onClosed(connection),
      );
      return connection;
    } catch (error) {
      if (error instanceof CodedError) return error;
      throw error;
    }
  }

  /** A peer that accepts and closes would be dialled as fast as it is called. */
  #onClosed(connection: OutboundConnection): void {
    if (connection.answered === 0 && !this.#isStopped) this.#dialler.failed(CLOSED);
    if (this.#connection === connection) this.#connection = undefined;
  }

  #settleQueued(result: CallResult): void {
    for (const { settle } of this.#queued.splice(0)) settle(result);
  }
}
