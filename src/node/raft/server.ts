/** The connections that other servers open to this one. */
import type { ByteConnection, RemoteIdentity } from '../../net/byte-streams.ts';
import { ConcurrencyLimits } from '../../net/limits.ts';
import { InboundConnection } from './inbound-connection.ts';
import { DEFAULT_SERVER_LIMITS, type RaftTransportOptions, type ServerLimits } from './transport.ts';

export class RaftServer {
  readonly #options: RaftTransportOptions;
  readonly #limits: ServerLimits;
  readonly #places: ConcurrencyLimits;
  readonly #connections = new Set<InboundConnection>();
  #gatheredBytes = 0;

  constructor(options: RaftTransportOptions) {
    this.#options = options;
    this.#limits = { ...DEFAULT_SERVER_LIMITS, ...options.serverLimits };
    this.#places = new ConcurrencyLimits(this.#limits.maxConnectionsPerRemote, this.#limits.maxConnections);
  }

  get connections(): number {
    return this.#connections.size;
  }

  async start(): Promise<void> {
    await this.#options.streams.listen((connection) => this.#accept(connection));
  }

  async stop(): Promise<void> {
    await this.#options.streams.stop();
    for (const connection of this.#connections) connection.destroy();
  }

  #accept(connection: ByteConnection): void {
    const { remote } = connection;
    const entered = this.#places.enter(nameOf(remote));
    if (!entered.ok) {
      this.#options.onRefused?.(remote, entered.refusal);
      return connection.destroy();
    }
    const inbound: InboundConnection = new InboundConnection(connection, {
      options: this.#options,
      limits: this.#limits,
      onRefused: (refusal) => this.#options.onRefused?.(remote, refusal),
      onGathered: (change) => {
        this.#gatheredBytes += change;
        return this.#gatheredBytes <= this.#limits.maxGatheredBytes;
      },
      onClosed: () => {
        this.#connections.delete(inbound);
        this.#places.leave(nameOf(remote));
      },
    });
    this.#connections.add(inbound);
  }
}

function nameOf(remote: RemoteIdentity): string {
  return remote.kind === 'peer' ? remote.peerId : remote.ip;
}
