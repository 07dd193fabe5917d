/** Nodes with keys of their own, and events that they signed before anything is measured. */
import { unwrap } from '../../src/base/result.ts';
import { ZERO_HASH } from '../../src/base/hash.ts';
import type { WrittenEvent } from '../../src/ledger/event-schema.ts';
import type { NodeRecord } from '../../src/ledger/record.ts';
import { normaliseAddresses } from '../../src/ledger/multiaddrs.ts';
import { generateIdentityKey, type IdentityKey, type IdentityKeyType } from '../../src/node/keys.ts';
import { signEvent } from '../../src/node/sign-event.ts';

export class Population {
  readonly #keys: readonly IdentityKey[];
  /** Events that each node has signed. */
  readonly #signed: number[];
  #next = 0;
  #inGenesis = false;

  constructor(nodes: number, keyType: IdentityKeyType) {
    this.#keys = Array.from({ length: nodes }, () => generateIdentityKey(keyType));
    this.#signed = this.#keys.map(() => 0);
  }

  get peerIds(): readonly string[] {
    return this.#keys.map(({ peerId }) => peerId);
  }

  /**
   * For a genesis: they joined at this time, and have signed nothing since. Without it, the first event of each joins.
   *
   * @param timestamp unix seconds
   */
  records(timestamp: number): readonly NodeRecord[] {
    this.#inGenesis = true;
    return this.#keys.map(({ peerId }, node) =>
      joinedRecord(peerId, unwrap(normaliseAddresses(peerId, addresses(node, 0))), timestamp),
    );
  }

  /**
   * Changes of address (and the joining where it is due) of the nodes in turn, so that as many in a row as there are
   * nodes are of distinct nodes; about 300 bytes each, signature included.
   *
   * @returns as batches carry them
   */
  sign(events: number, chainId: string): readonly Uint8Array[] {
    const time = Math.floor(Date.now() / 1000);
    return Array.from({ length: events }, () => {
      const node = this.#next++ % this.#keys.length;
      const key = this.#keys[node]!;
      const seq = (this.#signed[node] = this.#signed[node]! + 1);
      const base = { peerId: key.peerId, seq, time, multiaddrs: addresses(node, seq) };
      const joins = seq === 1 && !this.#inGenesis;
      const event: WrittenEvent = joins
        ? { type: 'joined', ...base, ...PROFILE }
        : { type: 'addressesChanged', ...base };
      return signEvent(key, chainId, event).bytes;
    });
  }
}

/** What a node says of itself when it joins. */
const PROFILE = {
  version: 'v0.5.2',
  isTwitterScraper: true,
  isDiscordScraper: false,
  isTelegramScraper: false,
  isWebScraper: true,
};

function addresses(node: number, move: number): string[] {
  const ip = `10.${move % 256}.${(node >> 8) & 255}.${node % 256}`;
  return [`/dns4/node-${String(node).padStart(6, '0')}.example.org/tcp/4001`, `/ip4/${ip}/udp/4001/quic-v1`];
}

function joinedRecord(peerId: string, multiaddrs: readonly string[], timestamp: number): NodeRecord {
  return {
    kind: 'record',
    peerId,
    origin: 'import',
    multiaddrs,
    ...PROFILE,
    isLlmServer: false,
    stake: null,
    activity: 'joined',
    firstJoined: timestamp,
    lastJoined: timestamp,
    lastLeft: 0,
    lastHeard: timestamp,
    lastUpdated: timestamp,
    closedUptimeNs: 0n,
    workerTimeoutNs: null,
    lastSeq: 0,
    lastEventId: ZERO_HASH,
  };
}
