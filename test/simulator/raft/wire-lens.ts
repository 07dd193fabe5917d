/**
 * Reads what one side of a connection writes: for faults that choose by kind of message, and for checkers of what leaves a
 * machine. A connection carries requests one way and their responses, in the same order, the other way.
 */
import type { Channel } from '../../../src/raft/contract.ts';
import type { RaftRequest } from '../../../src/raft/messages.ts';
import { isHeartbeat } from '../../../src/raft/wire/protocol-version.ts';
import { RequestParser } from '../../../src/raft/wire/request-parser.ts';
import type { WireResponse } from '../../../src/raft/wire/response-codec.ts';
import { ResponseParser } from '../../../src/raft/wire/response-parser.ts';

export const CHANNELS: readonly Channel[] = ['heartbeat', 'log', 'election', 'snapshot'];

export interface SeenRequest {
  readonly request: RaftRequest;
  readonly channel: Channel;
  /** For an answer, on this connection, of those of the same channel and term: this one as well. */
  readonly waiting: number;
}

/** What some bytes belong to. */
export interface Traffic {
  readonly channel: Channel;
  /** 0 for what has none. */
  readonly term: number;
}

export function channelOf(request: RaftRequest): Channel {
  switch (request.kind) {
    case 'appendEntries':
      return isHeartbeat(request) ? 'heartbeat' : 'log';
    case 'installSnapshot':
      return 'snapshot';
    case 'requestVote':
    case 'preVote':
    case 'timeoutNow':
      return 'election';
  }
}

/** 0 for what has none. */
export function termOf(request: RaftRequest): number {
  return 'term' in request ? request.term : 0;
}

export class WireLens {
  readonly #requests = new RequestParser();
  readonly #responses = new ResponseParser();
  /** Requests that are not answered, oldest first. */
  readonly #open: SeenRequest[] = [];
  #isBroken = false;
  /** Of the last message that was seen, in either direction. */
  traffic: Traffic = { channel: 'log', term: 0 };

  /** @returns the requests that these bytes complete */
  asked(bytes: Uint8Array): readonly SeenRequest[] {
    if (this.#isBroken || bytes.length === 0) return [];
    const seen: SeenRequest[] = [];
    this.#requests.push(bytes);
    for (let parsed = this.#requests.next(); parsed !== undefined; parsed = this.#requests.next()) {
      if (!parsed.ok) {
        this.#isBroken = true;
        break;
      }
      if (parsed.value.kind !== 'request') continue;
      const { request } = parsed.value;
      const channel = channelOf(request);
      this.traffic = { channel, term: termOf(request) };
      const isAlike = (other: SeenRequest) => other.channel === channel && termOf(other.request) === termOf(request);
      const next = { request, channel, waiting: this.#open.filter(isAlike).length + 1 };
      this.#open.push(next);
      seen.push(next);
    }
    return seen;
  }

  /** @returns what these bytes answer, and how */
  answered(bytes: Uint8Array): readonly (SeenRequest & { readonly answer: WireResponse })[] {
    if (this.#isBroken || bytes.length === 0) return [];
    const seen: (SeenRequest & { readonly answer: WireResponse })[] = [];
    this.#responses.push(bytes);
    for (let [oldest] = this.#open; oldest !== undefined; [oldest] = this.#open) {
      const next = this.#responses.next(oldest.request.kind);
      if (next === undefined) break;
      if (!next.ok) {
        this.#isBroken = true;
        break;
      }
      this.#open.shift();
      const { response } = next.value;
      this.traffic = { channel: oldest.channel, term: response !== null && 'term' in response ? response.term : 0 };
      seen.push({ ...oldest, answer: next.value });
    }
    return seen;
  }
}
