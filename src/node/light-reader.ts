/**
 * Verified reads without a data directory: all that is trusted is the genesis. Peers are asked over the read protocol;
 * the DHT, as its client, for records that they keep.
 */
import { codedError, ok, unwrap, type Result } from '../base/result.ts';
import type { Genesis } from '../ledger/genesis.ts';
import { trustGenesis, type TrustedChain } from '../ledger/trusted-chain.ts';
import { verifyStateRead, type ReaderTrust } from '../ledger/verified-read.ts';
import { DhtRecords } from '../net/dht.ts';
import { createHost, type Host, type PeerTarget } from '../net/host.ts';
import { read } from '../net/read.ts';
import { recordRules, type HeightMemory, type RecordCheck } from '../net/record-rules.ts';
import { loadDefaultScheme } from '../qc/default-scheme.ts';
import type { SignatureScheme } from '../qc/scheme.ts';
import type { AddressBook } from './address-book.ts';
import { stateKeyOf } from './dht-service.ts';
import { generateIdentityKey } from './keys.ts';
import type { ReadReport } from './read-report.ts';
import { rememberingScheme } from './remembering-scheme.ts';
import { peerSource, VerifiedReader, type ReadSource, type VerifiedReadOptions } from './verified-reader.ts';

/** `read`: the read protocol only. `dht`: the DHT first, whose record peers then prove again at their heads. */
export type ReadWay = 'read' | 'dht';

export interface LightReaderOptions {
  readonly genesis: Genesis;
  readonly addresses: AddressBook;
  /** Ask only these; empty: every peer that is known. The DHT is entered through them. */
  readonly named: readonly PeerTarget[];
  /** Undefined: the read protocol, and the DHT when nobody's answer holds. */
  readonly via?: ReadWay | undefined;
  /** `crash-only`: the peers that are asked are believed of a Raft epoch, and the DHT is left alone. */
  readonly trust?: ReaderTrust | undefined;
}

export interface LightReader {
  /** Refusals as `VerifiedReader.read` and `readFromHint`. */
  read(peerId: string, options: VerifiedReadOptions): Promise<Result<ReadReport>>;
  close(): Promise<void>;
}

const CONNECT_DEADLINE_MS = 3_000;
const LOOK_AGAIN_MS = 10;
/** Peers that are enough to have answered a look-up in the DHT: the reader proves what they say again at the head. */
const DHT_ANSWERS = 3;
const MAX_REMEMBERED_SIGNATURES = 1024;

/** @throws CodedError what `trustGenesis` refuses */
export async function openLightReader(options: LightReaderOptions): Promise<LightReader> {
  const { genesis } = options;
  const { scheme: loaded } = await loadDefaultScheme();
  // Answers of one head share its certificate and statements, and what a look-up found is checked again when it is used.
  const scheme = rememberingScheme(loaded, MAX_REMEMBERED_SIGNATURES);
  const trusted = unwrap(trustGenesis(genesis, scheme));
  const check = recordCheck(trusted, scheme);
  // A key for this one visit: a reader is nobody in particular.
  const identity = generateIdentityKey('ed25519');
  const host = await createHost({
    identity: identity.protobuf,
    listen: [],
    chainId: trusted.chainId,
    ...(wayOf(options) === 'read'
      ? {}
      : { dht: { mode: 'client', records: recordRules({ check, heights: heightsOfThisVisit() }) } }),
  });
  const reader = new VerifiedReader({
    trusted,
    parameters: genesis.parameters,
    scheme,
    nowMs: () => Date.now(),
    trust: options.trust ?? 'byzantine',
  });
  return {
    read: new Visit(options, host, reader, check).read,
    close: () => host.stop(),
  };
}

/** A reader that believes peers asks only those that were named to it or that it is configured with: no stranger. */
function wayOf({ trust, via }: Pick<LightReaderOptions, 'trust' | 'via'>): ReadWay | undefined {
  return trust === 'crash-only' ? 'read' : via;
}

/** One host's reads: whom to ask, and in which order. */
class Visit {
  readonly #options: LightReaderOptions;
  readonly #host: Host;
  readonly #reader: VerifiedReader;
  readonly #check: RecordCheck;

  constructor(options: LightReaderOptions, host: Host, reader: VerifiedReader, check: RecordCheck) {
    this.#options = options;
    this.#host = host;
    this.#reader = reader;
    this.#check = check;
  }

  readonly read: LightReader['read'] = async (peerId, options) => {
    const targets = this.#targets();
    const peers = targets.map((target) => this.#peerSource(target));
    const via = wayOf(this.#options);
    if (via === 'dht') return this.#reader.readFromHint(peerId, this.#dhtSource(targets), () => peers, options);
    const startedMs = Date.now();
    const answered = await this.#reader.read(peerId, peers, options);
    const timeoutMs = options.timeoutMs - (Date.now() - startedMs);
    if (answered.ok || via === 'read' || timeoutMs <= 0) return answered;
    const others = (): readonly ReadSource[] => this.#othersConnected(targets);
    const found = await this.#reader.readFromHint(peerId, this.#dhtSource(targets), others, { ...options, timeoutMs });
    // That the DHT has nothing tells less than what was wrong with the peers.
    return found.ok || found.refusal.code !== 'peer-unreachable' ? found : answered;
  };

  #targets(): readonly PeerTarget[] {
    const { addresses, named } = this.#options;
    if (named.length > 0) return named;
    return addresses.peers().map((peerId) => ({ peerId, multiaddrs: addresses.of(peerId) }));
  }

  /** Peers that the search in the DHT led to. */
  #othersConnected(asked: readonly PeerTarget[]): readonly ReadSource[] {
    const before = new Set(asked.map(({ peerId }) => peerId));
    const now = new Set(this.#host.connections().map(({ peerId }) => peerId));
    return [...now].filter((peerId) => !before.has(peerId)).map((peerId) => this.#peerSource({ peerId }));
  }

  #peerSource(target: PeerTarget): ReadSource {
    return peerSource(target, (to, request, deadlineMs) => read(this.#host, to, request, { deadlineMs }));
  }

  #dhtSource(entries: readonly PeerTarget[]): ReadSource {
    return {
      name: 'dht',
      isKeeper: true,
      ask: async (peerId, deadlineMs) => {
        const giveUpAtMs = Date.now() + deadlineMs;
        await this.#enterDht(entries, giveUpAtMs);
        const found = await new DhtRecords(this.#host, this.#check).get(
          { kind: 'node', peerId },
          { deadlineMs: Math.max(1, giveUpAtMs - Date.now()), enough: DHT_ANSWERS },
        );
        if (found === undefined) throw codedError('record-not-found', 'the DHT has no record', { peerId });
        return ok(found.value);
      },
    };
  }

  /** Until the routing table holds whom the peers that we know are. @throws CodedError `dht-not-entered` */
  async #enterDht(entries: readonly PeerTarget[], giveUpAtMs: number): Promise<void> {
    const deadlineMs = Math.min(CONNECT_DEADLINE_MS, giveUpAtMs - Date.now());
    await Promise.allSettled(entries.map((entry) => this.#host.connect(entry, { deadlineMs })));
    while (this.#host.dhtPeers() === 0) {
      if (Date.now() >= giveUpAtMs) throw codedError('dht-not-entered', 'no peer of the DHT could be reached');
      await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
    }
  }
}

function recordCheck(trusted: TrustedChain, scheme: SignatureScheme): RecordCheck {
  return (key, value) => {
    const checked = verifyStateRead(value, trusted, { key: stateKeyOf(key), scheme, nowMs: Date.now() });
    return checked.ok ? ok(checked.value.height) : checked;
  };
}

function heightsOfThisVisit(): HeightMemory {
  const heights = new Map<string, number>();
  return {
    get: (key) => heights.get(key),
    put: (key, height) => {
      heights.set(key, Math.max(height, heights.get(key) ?? 0));
      return Promise.resolve();
    },
  };
}
