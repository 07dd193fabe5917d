/** A server's links over TCP, with every sender judged before the engine hears of it. */
import type { Refusal } from '../../src/base/result.ts';
import { TcpStreams } from '../../src/net/tcp-streams.ts';
import { HostNames } from '../../src/node/raft/host-names.ts';
import type { IncomingAsk, OpenLinks, OutgoingCall } from '../../src/node/raft/links.ts';
import { NetworkTransport } from '../../src/node/raft/network-transport.ts';
import type { IncomingRequest, RequestAnswer } from '../../src/node/raft/transport.ts';
import type { RaftStatus } from '../../src/raft/contract.ts';
import { senderOf, type KnownServer } from '../../src/raft/sender.ts';
import { DEFAULT_DIALECT } from '../../src/raft/wire/dialect.ts';

export interface OurLinksOptions {
  readonly self: KnownServer;
  readonly protocolVersion: 2 | 3;
  readonly listed: readonly KnownServer[];
  /** Undefined while the server starts. */
  readonly status: () => Pick<RaftStatus, 'configuration' | 'leader'> | undefined;
  readonly refused: (refusal: Refusal) => void;
}

export function ourLinks({ listed, protocolVersion, refused, self, status }: OurLinksOptions): OpenLinks {
  const { ipsOf } = new HostNames();
  return async (ask) => {
    const onRequest = (incoming: IncomingRequest): Promise<RequestAnswer> => {
      const now = status();
      const sender = senderOf(incoming.remote, incoming.request, {
        self: self.id,
        configured: now?.configuration.configuration.servers ?? [],
        listed,
        leader: now?.leader?.id ?? null,
        ipsOf,
      });
      if (sender.ok) return answered(ask, { ...incoming, from: sender.value.id, isListed: sender.value.isListed });
      refused(sender.refusal);
      return Promise.resolve({ kind: 'error', error: sender.refusal.message });
    };
    const transport = new NetworkTransport({
      streams: new TcpStreams({ listen: self.address }),
      self,
      dialect: { ...DEFAULT_DIALECT, protocolVersion },
      onRequest,
      onRefused: (_remote, refusal) => refused(refusal),
    });
    await transport.start();
    return {
      address: self.address,
      call: (call) => void perform(transport, call),
      stop: () => transport.stop(),
    };
  };
}

function answered(
  ask: (ask: IncomingAsk) => void,
  { from, isListed, request, snapshot }: IncomingRequest & { readonly from: string; readonly isListed: boolean },
): Promise<RequestAnswer> {
  return new Promise((resolve) =>
    ask({
      from,
      isListed,
      request,
      body: snapshot,
      answer: (response) => resolve({ kind: 'response', response }),
      refuse: ({ message }) => resolve({ kind: 'error', error: message }),
    }),
  );
}

async function perform(
  transport: NetworkTransport,
  { address, answered, body, channel, failed, request }: OutgoingCall,
): Promise<void> {
  const result = await transport.call({ address, channel, request, ...(body === null ? {} : { snapshot: body }) });
  if (result.ok) answered(result.response);
  else failed(result.failure);
}
