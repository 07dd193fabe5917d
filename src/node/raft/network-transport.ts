/** Both halves of a server's transport. */
import type { ServerAddress } from '../../raft/messages.ts';
import { RaftClient } from './client.ts';
import { RaftServer } from './server.ts';
import type { Call, CallResult, RaftTransportOptions, Transport } from './transport.ts';

export class NetworkTransport implements Transport {
  readonly #server: RaftServer;
  readonly #client: RaftClient;

  constructor(options: RaftTransportOptions) {
    this.#server = new RaftServer(options);
    this.#client = new RaftClient(options);
  }

  /** That others have opened to this server. */
  get inboundConnections(): number {
    return this.#server.connections;
  }

  async start(): Promise<void> {
    await this.#server.start();
  }

  async call(call: Call): Promise<CallResult> {
    return await this.#client.call(call);
  }

  retain(addresses: readonly ServerAddress[]): void {
    this.#client.retain(addresses);
  }

  async stop(): Promise<void> {
    this.#client.stop();
    await this.#server.stop();
  }
}
