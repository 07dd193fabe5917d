/** How a server reaches the others of its cluster and is reached by them, whatever carries the bytes. */
import type { Refusal } from '../../base/result.ts';
import type { Channel } from '../../raft/contract.ts';
import type { CallFailure, RaftRequest, RaftResponse, Server, ServerAddress, ServerId } from '../../raft/messages.ts';

export interface RaftLinks {
  /** Every call comes back once. Calls of one channel to one server keep their order. */
  call(call: OutgoingCall): void;
  /** Other servers are in the configuration now. */
  configured(): void;
  /** Nothing comes in any more, and every call under way has failed. */
  stop(): Promise<void>;
}

export interface OutgoingCall {
  readonly to: ServerId;
  readonly address: ServerAddress;
  readonly channel: Channel;
  readonly request: RaftRequest;
  /** The bytes behind an `installSnapshot`, as many as it says. */
  readonly body: AsyncIterable<Uint8Array> | null;
  readonly answered: (response: RaftResponse) => void;
  readonly failed: (failure: CallFailure) => void;
}

export interface IncomingAsk {
  readonly from: ServerId;
  /** The operator's list of the cluster names it. */
  readonly isListed: boolean;
  readonly request: RaftRequest;
  /** The bytes behind an `installSnapshot`; what is not read of it is passed over before the answer leaves. */
  readonly body: AsyncIterable<Uint8Array> | null;
  answer(response: RaftResponse): void;
  /** Answers with an error text. */
  refuse(refusal: Refusal): void;
}

/** What links need to know of their server, as it is when they ask. */
export interface LinkFacts {
  /** Of the latest configuration, and of the one before it until that is committed; and who leads. */
  readonly configured: () => readonly Pick<Server, 'id' | 'address'>[];
  readonly leader: () => ServerId | null;
  /** Somebody sent what cannot be taken. */
  readonly refused: (refusal: Refusal) => void;
}

/**
 * @param ask what came in; answered once, in any order
 * @throws CodedError `listen-failed`
 */
export type OpenLinks = (ask: (ask: IncomingAsk) => void, facts: LinkFacts) => Promise<RaftLinks>;
