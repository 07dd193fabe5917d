/**
 * A server's links over hashicorp/raft's transport, with a gate before the engine: of a request whose sender is not who it
 * says, or nobody of this cluster, nothing is believed, its term least of all (`raft/sender.ts`).
 */
import type { Result } from '../../base/result.ts';
import type { ByteStreams } from '../../net/byte-streams.ts';
import type { ServerAddress, ServerId } from '../../raft/messages.ts';
import { senderOf, type KnownServer, type Sender } from '../../raft/sender.ts';
import { DEFAULT_DIALECT, type Dialect } from '../../raft/wire/dialect.ts';
import { HostNames } from './host-names.ts';
import type { IncomingAsk, LinkFacts, OpenLinks, OutgoingCall, RaftLinks } from './links.ts';
import { NetworkTransport } from './network-transport.ts';
import type { ClientLimits, IncomingRequest, RequestAnswer, ServerLimits, Transport } from './transport.ts';

export interface NetworkLinksOptions {
  readonly self: { readonly id: ServerId; readonly address: ServerAddress };
  readonly streams: ByteStreams;
  readonly protocolVersion: 2 | 3;
  /** The operator's list of the cluster, as it is now. */
  readonly listed: () => readonly KnownServer[];
  readonly dialect?: Partial<Dialect>;
  readonly serverLimits?: Partial<ServerLimits>;
  readonly clientLimits?: Partial<ClientLimits>;
  /** In place of DNS. */
  readonly names?: HostNames;
}

export function networkLinks(options: NetworkLinksOptions): OpenLinks {
  return async (ask, facts) => {
    const links = new NetworkLinks(options, ask, facts);
    await links.start();
    return links;
  };
}

class NetworkLinks implements RaftLinks {
  readonly #options: NetworkLinksOptions;
  readonly #ask: (ask: IncomingAsk) => void;
  readonly #facts: LinkFacts;
  readonly #transport: Transport;
  readonly #names: HostNames;

  constructor(options: NetworkLinksOptions, ask: (ask: IncomingAsk) => void, facts: LinkFacts) {
    const { clientLimits, dialect, protocolVersion, self, serverLimits, streams } = options;
    this.#options = options;
    this.#ask = ask;
    this.#facts = facts;
    this.#names = options.names ?? new HostNames();
    this.#transport = new NetworkTransport({
      streams,
      self,
      dialect: { ...DEFAULT_DIALECT, protocolVersion, ...dialect },
      onRequest: (incoming) => this.#requested(incoming),
      onRefused: (_remote, refusal) => facts.refused(refusal),
      ...(serverLimits === undefined ? {} : { serverLimits }),
      ...(clientLimits === undefined ? {} : { clientLimits }),
    });
  }

  async start(): Promise<void> {
    await this.#names.refresh(this.#addresses());
    await this.#transport.start();
  }

  call({ address, answered, body, channel, failed, request }: OutgoingCall): void {
    const call = { address, channel, request, ...(body === null ? {} : { snapshot: body }) };
    void this.#transport.call(call).then((result) => {
      if (result.ok) answered(result.response);
      else failed(result.failure);
    });
  }

  configured(): void {
    const addresses = this.#addresses();
    this.#transport.retain(addresses);
    void this.#names.refresh(addresses);
  }

  stop(): Promise<void> {
    return this.#transport.stop();
  }

  #addresses(): readonly ServerAddress[] {
    return [...this.#facts.configured(), ...this.#options.listed()].map(({ address }) => address);
  }

  #requested(incoming: IncomingRequest): Promise<RequestAnswer> {
    const sender = this.#senderOf(incoming);
    if (!sender.ok) {
      const { code, message } = sender.refusal;
      this.#facts.refused(sender.refusal);
      // By when it dials again, the names are known that it may have moved to.
      void this.#names.lookAgain(this.#addresses());
      return Promise.resolve({ kind: 'error', error: `${code}: ${message}`, closes: true });
    }
    const { request, snapshot } = incoming;
    return new Promise((resolve) => {
      this.#ask({
        from: sender.value.id,
        isListed: sender.value.isListed,
        request,
        body: snapshot,
        answer: (response) => resolve({ kind: 'response', response }),
        refuse: ({ code, message }) => resolve({ kind: 'error', error: `${code}: ${message}` }),
      });
    });
  }

  #senderOf({ remote, request }: IncomingRequest): Result<Sender> {
    const { configured, leader } = this.#facts;
    return senderOf(remote, request, {
      self: this.#options.self.id,
      configured: configured(),
      listed: this.#options.listed(),
      leader: leader(),
      ipsOf: this.#names.ipsOf,
    });
  }
}
