/** Requests of other servers that the engine has not answered yet. */
import type { Refusal } from '../../base/result.ts';
import type { InstallSnapshotRequest, RaftResponse } from '../../raft/messages.ts';
import type { IncomingAsk } from './links.ts';

export class Asks {
  readonly #waiting = new Map<number, IncomingAsk>();
  #last = 0;

  /** @returns its number, by which the engine answers it */
  add(incoming: IncomingAsk): number {
    this.#waiting.set(++this.#last, incoming);
    return this.#last;
  }

  answer(ask: number, response: RaftResponse): void {
    this.#take(ask)?.answer(response);
  }

  refuse(ask: number, refusal: Refusal): void {
    this.#take(ask)?.refuse(refusal);
  }

  /** Of a snapshot that waits for its answer; undefined when it was answered meanwhile, as at the end. */
  snapshot(
    ask: number,
  ): { readonly request: InstallSnapshotRequest; readonly body: AsyncIterable<Uint8Array> } | undefined {
    const incoming = this.#waiting.get(ask);
    if (incoming?.request.kind !== 'installSnapshot' || incoming.body === null) return undefined;
    return { request: incoming.request, body: incoming.body };
  }

  close(refusal: Refusal): void {
    for (const ask of [...this.#waiting.keys()]) this.refuse(ask, refusal);
  }

  #take(ask: number): IncomingAsk | undefined {
    const incoming = this.#waiting.get(ask);
    this.#waiting.delete(ask);
    return incoming;
  }
}
