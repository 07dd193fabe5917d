/** Verified reads of a running node: from the other validators over its own host, then from the DHT. */
import { codedError, ok } from '../base/result.ts';
import type { PeerTarget } from '../net/host.ts';
import { read } from '../net/read.ts';
import { validatorTarget, type NetworkedCore } from './core.ts';
import type { DhtService } from './dht-service.ts';
import type { ReadOptions, RunningNode } from './status.ts';
import { peerSource, VerifiedReader, type ReadSource } from './verified-reader.ts';

const READ_TIMEOUT_MS = 10_000;

export class OwnReads {
  readonly #core: NetworkedCore;
  readonly #dht: DhtService;
  readonly #reader: VerifiedReader;

  constructor(core: NetworkedCore, dht: DhtService) {
    this.#core = core;
    this.#dht = dht;
    this.#reader = new VerifiedReader({
      trusted: core.trusted,
      parameters: core.genesis.parameters,
      scheme: core.scheme,
      nowMs: core.nowMs,
    });
  }

  read(peerId: string, { from, maxAgeMs }: ReadOptions): ReturnType<RunningNode['read']> {
    const sources = from === undefined ? this.#sources() : [this.#sourceAt(from)];
    return this.#reader.read(peerId, sources, { maxAgeMs, timeoutMs: READ_TIMEOUT_MS });
  }

  #sources(): readonly ReadSource[] {
    const { context, identity } = this.#core;
    const validators = context.validators.members
      .map((_, index) => validatorTarget(this.#core, index))
      .filter(({ peerId }) => peerId !== identity.peerId);
    return [...validators.map((target) => this.#peerSource(target)), this.#dhtSource()];
  }

  #sourceAt(address: string): ReadSource {
    const peerId = /\/p2p\/([^/]+)$/.exec(address)?.[1] ?? '';
    return this.#peerSource({ peerId, multiaddrs: [address] });
  }

  #peerSource(target: PeerTarget): ReadSource {
    return peerSource(target, (to, request, deadlineMs) => read(this.#core.host, to, request, { deadlineMs }));
  }

  #dhtSource(): ReadSource {
    return {
      name: 'dht',
      isKeeper: true,
      ask: async (peerId, deadlineMs) => {
        const found = await this.#dht.find(peerId, deadlineMs);
        if (found !== undefined) return ok(found.value);
        throw codedError('record-not-found', 'the DHT has no record', { peerId });
      },
    };
  }
}
