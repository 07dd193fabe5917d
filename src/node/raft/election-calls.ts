/**
 * Votes, pre-votes and TimeoutNow to one peer, each on a connection that no other call uses meanwhile: a version before
 * 1.7 closes the connection of a pre-vote, and a vote must not go down with it.
 */
import { CodedError } from '../../base/result.ts';
import type { WireLimits } from '../../raft/wire/limits.ts';
import type { Dialler } from './dialler.ts';
import { CLOSED, OutboundConnection, type OutboundCall } from './outbound-connection.ts';
import type { CallResult, ClientLimits } from './transport.ts';

export class ElectionCalls {
  readonly #dialler: Dialler;
  readonly #limits: ClientLimits;
  readonly #wireLimits: WireLimits | undefined;
  #kept: OutboundConnection[] = [];
  readonly #inUse = new Set<OutboundConnection>();
  #calls = 0;
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
    if (this.#calls >= this.#limits.maxElectionCalls) {
      const details = { calls: this.#calls };
      const refusal = { code: 'busy', message: 'too many calls of the peer are not answered', details };
      return call.settle({ ok: false, failure: 'unreachable', refusal });
    }
    this.#calls++;
    void this.#run(call);
  }

  stop(): void {
    this.#isStopped = true;
    for (const connection of [...this.#kept.splice(0), ...this.#inUse]) connection.close();
  }

  async #run(call: OutboundCall): Promise<void> {
    const result = await this.#result(call);
    this.#calls--;
    call.settle(result);
  }

  async #result(call: OutboundCall): Promise<CallResult> {
    this.#kept = this.#kept.filter(({ isOpen }) => isOpen);
    const kept = this.#kept.pop();
    if (kept !== undefined) {
      const result = await this.#on(kept, call);
      // The other side may have ended it while nobody looked: that says nothing of this call.
      if (result.ok || result.failure !== 'closed') return result;
    }
    if (this.#isStopped) return { ok: false, failure: 'closed', refusal: CLOSED };
    try {
      return await this.#on(
        new OutboundConnection(await this.#dialler.dial(call.deadlineAtMs), this.#wireLimits),
        call,
      );
    } catch (error) {
      if (error instanceof CodedError) return { ok: false, failure: 'unreachable', refusal: error };
      throw error;
    }
  }

  async #on(connection: OutboundConnection, call: OutboundCall): Promise<CallResult> {
    this.#inUse.add(connection);
    const result = await new Promise<CallResult>((settle) => connection.call({ ...call, settle }));
    this.#inUse.delete(connection);
    const isUseful = (result.ok || result.failure === 'error') && connection.isOpen && !this.#isStopped;
    if (isUseful) this.#dialler.succeeded();
    if (isUseful && this.#kept.length < this.#limits.maxElectionConnectionsKept) this.#kept.push(connection);
    else connection.close();
    return result;
  }
}
