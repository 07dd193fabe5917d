/** The connections that this server opens to others: by peer and channel, as hashicorp/raft's transport opens them. */
import { assert } from '../../base/assert.ts';
import type { Channel } from '../../raft/contract.ts';
import type { ServerAddress } from '../../raft/messages.ts';
import { encodeRequest } from '../../raft/wire/request-codec.ts';
import { Dialler } from './dialler.ts';
import { ElectionCalls } from './election-calls.ts';
import { CLOSED, type OutboundCall } from './outbound-connection.ts';
import { Pipeline } from './pipeline.ts';
import { callWithSnapshot, snapshotDeadlineMs } from './snapshot-call.ts';
import { DEFAULT_CLIENT_LIMITS } from './transport.ts';
import type { Call, CallResult, ClientLimits, RaftTransportOptions } from './transport.ts';

export class RaftClient {
  readonly #options: RaftTransportOptions;
  readonly #limits: ClientLimits;
  /** The peer called last is the last. */
  readonly #peers = new Map<ServerAddress, Peer>();
  #isStopped = false;

  constructor(options: RaftTransportOptions) {
    this.#options = options;
    this.#limits = { ...DEFAULT_CLIENT_LIMITS, ...options.clientLimits };
  }

  async call(call: Call): Promise<CallResult> {
    const { address, channel, request } = call;
    if (this.#isStopped) return { ok: false, failure: 'closed', refusal: CLOSED };
    if (request.kind === 'preVote' && !this.#options.dialect.preVote) {
      return { ok: false, failure: 'closed', refusal: NOT_SENT };
    }
    const peer = this.#peer(address);
    const bytes = encodeRequest(request, this.#options.dialect);
    const { callDeadlineMs } = this.#limits;
    if (request.kind === 'installSnapshot') {
      const { snapshot: source } = call;
      assert(source !== undefined, 'a snapshot comes with its bytes');
      const deadlineAtMs = performance.now() + snapshotDeadlineMs(callDeadlineMs, request.sizeBytes);
      return await peer.snapshot({ kind: request.kind, bytes, deadlineAtMs, source, sizeBytes: request.sizeBytes });
    }
    assert(channel !== 'snapshot', 'the channel of snapshots carries nothing else', { kind: request.kind });
    const deadlineAtMs = performance.now() + callDeadlineMs;
    return await new Promise((settle) => peer.call(channel, { kind: request.kind, bytes, deadlineAtMs, settle }));
  }

  retain(addresses: readonly ServerAddress[]): void {
    for (const [address, peer] of this.#peers) {
      if (!addresses.includes(address)) this.#drop(address, peer);
    }
  }

  stop(): void {
    this.#isStopped = true;
    this.retain([]);
  }

  #peer(address: ServerAddress): Peer {
    const known = this.#peers.get(address);
    const peer = known ?? new Peer(address, this.#options, this.#limits);
    if (known !== undefined) this.#peers.delete(address);
    this.#peers.set(address, peer);
    for (const [other, each] of this.#peers) {
      if (this.#peers.size <= this.#limits.maxPeers) break;
      if (each !== peer && each.calls === 0) this.#drop(other, each);
    }
    return peer;
  }

  #drop(address: ServerAddress, peer: Peer): void {
    this.#peers.delete(address);
    peer.stop();
  }
}

const NOT_SENT = {
  code: 'stream-closed',
  message: 'no pre-vote is sent to a cluster of versions that close on it',
  details: {},
};

class Peer {
  readonly #dialler: Dialler;
  readonly #heartbeats: Pipeline;
  readonly #log: Pipeline;
  readonly #elections: ElectionCalls;
  readonly #wireLimits: RaftTransportOptions['wireLimits'];
  readonly #stopping = new AbortController();
  #snapshots = 0;

  constructor(address: ServerAddress, { streams, wireLimits }: RaftTransportOptions, limits: ClientLimits) {
    this.#dialler = new Dialler(streams, address, limits);
    this.#wireLimits = wireLimits;
    this.#heartbeats = new Pipeline(this.#dialler, limits, wireLimits);
    this.#log = new Pipeline(this.#dialler, limits, wireLimits);
    this.#elections = new ElectionCalls(this.#dialler, limits, wireLimits);
  }

  get calls(): number {
    return this.#heartbeats.calls + this.#log.calls + this.#elections.calls + this.#snapshots;
  }

  call(channel: Exclude<Channel, 'snapshot'>, call: OutboundCall): void {
    if (channel === 'heartbeat') this.#heartbeats.call(call);
    else if (channel === 'log') this.#log.call(call);
    else this.#elections.call(call);
  }

  async snapshot(call: Parameters<typeof callWithSnapshot>[1]): Promise<CallResult> {
    this.#snapshots++;
    try {
      return await callWithSnapshot(this.#dialler, call, this.#wireLimits, this.#stopping.signal);
    } finally {
      this.#snapshots--;
    }
  }

  stop(): void {
    this.#stopping.abort();
    this.#heartbeats.stop();
    this.#log.stop();
    this.#elections.stop();
  }
}
