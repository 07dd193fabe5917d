/**
 * The libp2p host: TCP, TLS 1.3 (noise for peers that offer only that), yamux, identify, ping, and where asked the
 * DHT under `/masa` and gossipsub. Everything that the rest of the program needs of libp2p goes through this file and
 * its neighbours; no other room imports libp2p.
 */
import { gossipsub, type GossipSub } from '@libp2p/gossipsub';
import { privateKeyFromProtobuf } from '@libp2p/crypto/keys';
import { identify } from '@libp2p/identify';
import type { Connection, Libp2p, PeerId, PrivateKey, ServiceMap, Stream } from '@libp2p/interface';
import { kadDHT, passthroughMapper, type KadDHT, type SingleKadDHT } from '@libp2p/kad-dht';
import { noise } from '@libp2p/noise';
import { ping } from '@libp2p/ping';
import { tcp } from '@libp2p/tcp';
import { tls } from '@libp2p/tls';
import { createLibp2p } from 'libp2p';
import { codedError } from '../base/result.ts';
import { boundedDatastore } from './bounded-datastore.ts';
import { dialAddresses, openError, parsePeer } from './dialling.ts';
import { gossipOptions, type GossipRules } from './gossip-options.ts';
import type { RecordRules } from './record-rules.ts';
import { coalescingYamux } from './muxer.ts';

export interface HostOptions {
  /** The private key behind this host's peer id, ed25519 or secp256k1, as libp2p's protobuf. */
  readonly identity: Uint8Array;
  /** Multiaddrs; port 0 lets the system choose. None: a host that only dials. */
  readonly listen: readonly string[];
  /** Multiaddrs told to others in place of the ones listened on. */
  readonly announce?: readonly string[];
  /** In the agent version, so that a look at a peer tells its chain. */
  readonly chainId: string;
  /** Absent: no DHT. A server answers others' queries, a client only asks. */
  readonly dht?: { readonly mode: 'server' | 'client'; readonly records: RecordRules };
  /** Absent: no gossip. */
  readonly gossip?: GossipRules;
  /** Asked once a connection's peer is known; false closes it. */
  readonly admit?: (remotePeer: string, direction: 'inbound' | 'outbound') => boolean;
  readonly limits?: Partial<ConnectionLimits>;
}

export interface ConnectionLimits {
  /** Connections in all. */
  readonly maxConnections: number;
  /** Connections with one peer: two by simultaneous dials are normal. */
  readonly maxConnectionsPerPeer: number;
  /** New inbound connections a second and IP address. */
  readonly inboundPerSecondPerAddress: number;
  /** Inbound connections whose handshake is under way. */
  readonly maxPendingInbound: number;
  /** Inbound streams of all protocols on one connection; further ones are reset. */
  readonly maxStreamsPerConnection: number;
  /** Bytes that libp2p keeps in memory for peers' addresses and DHT records. */
  readonly maxDatastoreBytes: number;
}

export const DEFAULT_CONNECTION_LIMITS: ConnectionLimits = {
  maxConnections: 300,
  maxConnectionsPerPeer: 4,
  inboundPerSecondPerAddress: 64,
  maxPendingInbound: 64,
  maxStreamsPerConnection: 256,
  maxDatastoreBytes: 64 << 20,
};

/** Unread bytes of a stream; yamux windows stay below, so that a paused reader stops the sender and nothing breaks. */
const MAX_STREAM_WINDOW_BYTES = 1 << 20;
const MAX_READ_BUFFER_BYTES = 4 << 20;

/** A peer, and where it may be reached when it is not connected already. */
export interface PeerTarget {
  readonly peerId: string;
  readonly multiaddrs?: readonly string[];
}

export interface ConnectionSummary {
  readonly peerId: string;
  readonly remoteAddress: string;
  readonly direction: 'inbound' | 'outbound';
  readonly encryption: string;
  readonly streams: number;
}

export type StreamHandler = (stream: Stream, remotePeer: string) => void;

export interface OpenOptions {
  /** Dial, handshake and protocol negotiation together. */
  readonly deadlineMs: number;
}

/** @throws CodedError `identity-key-invalid`, `listen-failed` */
export async function createHost(options: HostOptions): Promise<Host> {
  const limits: ConnectionLimits = { ...DEFAULT_CONNECTION_LIMITS, ...options.limits };
  const privateKey = privateKeyOf(options.identity);
  const connectionCounts = new ConnectionCounts();
  try {
    const node = await createLibp2p<HostServices>({
      privateKey,
      nodeInfo: { userAgent: `hotledger/${options.chainId}` },
      addresses: { listen: [...options.listen], announce: [...(options.announce ?? [])] },
      datastore: boundedDatastore(limits.maxDatastoreBytes),
      transports: [tcp()],
      connectionEncrypters: [tls(), noise()],
      streamMuxers: [
        coalescingYamux({
          maxInboundStreams: limits.maxStreamsPerConnection,
          streamOptions: {
            maxStreamWindowSize: MAX_STREAM_WINDOW_BYTES,
            maxReadBufferLength: MAX_READ_BUFFER_BYTES,
          },
        }),
      ],
      connectionManager: {
        maxConnections: limits.maxConnections,
        inboundConnectionThreshold: limits.inboundPerSecondPerAddress,
        maxIncomingPendingConnections: limits.maxPendingInbound,
        inboundStreamProtocolNegotiationTimeout: 5_000,
        reconnectRetries: 0,
      },
      connectionMonitor: { pingInterval: 10_000 },
      connectionGater: {
        denyInboundUpgradedConnection: (peer) =>
          connectionCounts.of(peer.toString()) >= limits.maxConnectionsPerPeer ||
          options.admit?.(peer.toString(), 'inbound') === false,
        denyOutboundUpgradedConnection: (peer) => options.admit?.(peer.toString(), 'outbound') === false,
      },
      services: servicesOf(options),
    });
    connectionCounts.follow(node);
    return new Host(node, options.dht?.records);
  } catch (error) {
    throw codedError(
      'listen-failed',
      'the libp2p host did not start',
      { listen: options.listen.join(' '), reason: error instanceof Error ? error.message : String(error) },
      { cause: error },
    );
  }
}

function privateKeyOf(protobuf: Uint8Array): PrivateKey {
  try {
    const key = privateKeyFromProtobuf(protobuf);
    if (key.type === 'Ed25519' || key.type === 'secp256k1') return key;
  } catch (error) {
    throw codedError('identity-key-invalid', 'the identity key does not decode', {}, { cause: error });
  }
  throw codedError('identity-key-invalid', 'the identity key is neither ed25519 nor secp256k1');
}

/** A running libp2p node, with the few things that the protocols of this room need of one. */
export class Host {
  readonly peerId: string;
  /** What the DHT takes; undefined when the host was created without it. */
  readonly recordRules: RecordRules | undefined;
  readonly #node: Libp2p<HostServices>;

  constructor(node: Libp2p<HostServices>, recordRules: RecordRules | undefined) {
    this.#node = node;
    this.recordRules = recordRules;
    this.peerId = node.peerId.toString();
  }

  /** Undefined when the host was created without. */
  get gossip(): GossipSub | undefined {
    return this.#node.services.gossip;
  }

  get dht(): KadDHT | undefined {
    return this.#node.services.dht;
  }

  /** How many peers the DHT's routing table holds. */
  dhtPeers(): number {
    const { dht } = this.#node.services;
    return dht !== undefined && 'routingTable' in dht ? (dht as SingleKadDHT).routingTable.size : 0;
  }

  /** Where others reach this host: multiaddrs that end in its peer id. */
  addresses(): readonly string[] {
    return this.#node.getMultiaddrs().map(String);
  }

  connections(): readonly ConnectionSummary[] {
    return this.#node.getConnections().map((connection) => ({
      peerId: connection.remotePeer.toString(),
      remoteAddress: connection.remoteAddr.toString(),
      direction: connection.direction,
      encryption: connection.encryption ?? 'none',
      streams: connection.streams.length,
    }));
  }

  isConnected(peerId: string): boolean {
    return this.#node.getConnections(parsePeer(peerId)).length > 0;
  }

  /** The first connection with a peer opened, or the last one closed. */
  onPeer(listener: (peerId: string, state: 'connected' | 'disconnected') => void): () => void {
    const connected = ({ detail }: CustomEvent<PeerId>): void => listener(detail.toString(), 'connected');
    const disconnected = ({ detail }: CustomEvent<PeerId>): void => listener(detail.toString(), 'disconnected');
    this.#node.addEventListener('peer:connect', connected);
    this.#node.addEventListener('peer:disconnect', disconnected);
    return () => {
      this.#node.removeEventListener('peer:connect', connected);
      this.#node.removeEventListener('peer:disconnect', disconnected);
    };
  }

  /** Calls `handler` with every inbound stream of the protocol. The handler owns the stream and must close or abort it. */
  async handle(protocol: string, handler: StreamHandler): Promise<void> {
    await this.#node.handle(protocol, (stream, connection) => handler(stream, connection.remotePeer.toString()), {
      // Each protocol refuses by code what is too much; libp2p's own bound is the one of the whole connection.
      maxInboundStreams: Number.MAX_SAFE_INTEGER,
      maxOutboundStreams: Number.MAX_SAFE_INTEGER,
    });
  }

  async unhandle(protocol: string): Promise<void> {
    await this.#node.unhandle(protocol);
  }

  /** @throws CodedError `dial-failed`, `wrong-peer`, `deadline-passed`, `address-invalid` */
  async connect(target: PeerTarget, options: OpenOptions): Promise<void> {
    await this.#connection(target, AbortSignal.timeout(options.deadlineMs));
  }

  /** @throws CodedError as `connect`, and `protocol-unsupported`, `stream-failed` */
  async open(target: PeerTarget, protocol: string, options: OpenOptions): Promise<Stream> {
    const signal = AbortSignal.timeout(options.deadlineMs);
    const connection = await this.#connection(target, signal);
    try {
      return await connection.newStream(protocol, { signal, maxOutboundStreams: Number.MAX_SAFE_INTEGER });
    } catch (error) {
      throw openError(error, { peerId: target.peerId, protocol });
    }
  }

  /** Closes every connection with the peer. */
  async disconnect(peerId: string): Promise<void> {
    await this.#node.hangUp(parsePeer(peerId));
  }

  /** Resets what is open rather than wait for peers that may be gone; what must arrive is awaited before. */
  async stop(): Promise<void> {
    for (const connection of this.#node.getConnections()) connection.abort(new Error('the host stops'));
    await this.#node.stop();
  }

  async #connection(target: PeerTarget, signal: AbortSignal): Promise<Connection> {
    const peer = parsePeer(target.peerId);
    const open = this.#node.getConnections(peer).find(({ status }) => status === 'open');
    if (open !== undefined) return open;
    const addresses = dialAddresses(target.peerId, target.multiaddrs ?? []);
    try {
      return await this.#node.dial(addresses.length > 0 ? addresses : peer, { signal });
    } catch (error) {
      throw openError(error, { peerId: target.peerId });
    }
  }
}

/** Services that a host may have; which it has is decided by its options. */
interface HostServices extends ServiceMap {
  readonly identify: unknown;
  readonly ping: unknown;
  readonly dht?: KadDHT;
  readonly gossip?: GossipSub;
}

function servicesOf(options: HostOptions): ServiceFactories {
  const { dht, gossip } = options;
  const factories = {
    identify: identify({ maxInboundStreams: 4, maxOutboundStreams: 4 }),
    ping: ping({ maxInboundStreams: 4 }),
    ...(dht !== undefined && { dht: dhtOf(dht) }),
    ...(gossip !== undefined && { gossip: gossipsub(gossipOptions(gossip, options.chainId)) }),
  };
  // libp2p's type of optional services allows `undefined` where ours says absent.
  return factories as ServiceFactories;
}

function dhtOf({ mode, records }: NonNullable<HostOptions['dht']>): ReturnType<typeof kadDHT> {
  return kadDHT({
    protocol: '/masa/kad/1.0.0',
    clientMode: mode === 'client',
    // No query starts before the first look at the neighbourhood, for which the default waits a second.
    initialQuerySelfInterval: 20,
    // Private addresses are as good as public ones here; the mapper of libp2p's default would drop one kind.
    peerInfoMapper: passthroughMapper,
    validators: records.validators,
    selectors: records.selectors,
  });
}

type ServiceFactories = NonNullable<NonNullable<Parameters<typeof createLibp2p<HostServices>>[0]>['services']>;

/** How many connections each peer has, from libp2p's events. */
class ConnectionCounts {
  readonly #counts = new Map<string, number>();

  follow(node: Libp2p<HostServices>): void {
    node.addEventListener('connection:open', ({ detail }) => this.#add(detail, 1));
    node.addEventListener('connection:close', ({ detail }) => this.#add(detail, -1));
  }

  of(peerId: string): number {
    return this.#counts.get(peerId) ?? 0;
  }

  #add(connection: Connection, by: 1 | -1): void {
    const peerId = connection.remotePeer.toString();
    const count = this.of(peerId) + by;
    if (count > 0) this.#counts.set(peerId, count);
    else this.#counts.delete(peerId);
  }
}
