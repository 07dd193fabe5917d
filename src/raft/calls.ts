/** Calls that are on their way, by number: what an answer is an answer to. */
import type { Channel, When } from './contract.ts';
import type { RaftRequest, Server, ServerId } from './messages.ts';
import type { Progress } from './progress.ts';
import type { Turn } from './turn.ts';

export type Call =
  | { readonly kind: 'preVote'; readonly to: ServerId; readonly term: number }
  | { readonly kind: 'vote'; readonly to: ServerId; readonly term: number }
  | { readonly kind: 'heartbeat'; readonly to: Progress; readonly round: number }
  | {
      readonly kind: 'append';
      readonly to: Progress;
      readonly round: number;
      readonly epoch: number;
      readonly prevIndex: number;
      readonly lastIndex: number;
      readonly bytes: number;
    }
  | { readonly kind: 'snapshot'; readonly to: Progress; readonly epoch: number; readonly lastIndex: number }
  | { readonly kind: 'timeoutNow'; readonly to: Progress };

const CHANNELS: Readonly<Record<Call['kind'], Channel>> = {
  preVote: 'election',
  vote: 'election',
  heartbeat: 'heartbeat',
  append: 'log',
  snapshot: 'snapshot',
  timeoutNow: 'election',
};

export class Calls {
  readonly #underWay = new Map<number, Call>();
  #last = 0;

  make(turn: Turn, when: When, { id, address }: Server, call: Call, request: RaftRequest): void {
    const number = ++this.#last;
    this.#underWay.set(number, call);
    turn.call({ kind: 'call', when, call: number, to: id, address, channel: CHANNELS[call.kind], request });
  }

  /** @returns undefined when nobody waits for it any more */
  take(number: number): Call | undefined {
    const call = this.#underWay.get(number);
    this.#underWay.delete(number);
    return call;
  }

  /** Whoever made them is something else now. */
  forget(): void {
    this.#underWay.clear();
  }
}
