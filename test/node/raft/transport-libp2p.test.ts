import { expect, it } from 'vitest';
import type { Call } from '../../../src/node/raft/transport.ts';
import { libp2pPair } from '../../net/byte-streams.ts';
import { until } from '../../net/network.ts';
import { CLIENT, heartbeat, preVote, transport, vote, yes } from './transport-fixture.ts';

it('keeps no stream of a peer that opens one for each call, as go-libp2p-raft does', async () => {
  const pair = await libp2pPair();
  const streams = (): number =>
    (pair.hosts ?? []).reduce((sum, host) => sum + host.connections().reduce((all, each) => all + each.streams, 0), 0);
  const server = transport(pair.server, async (incoming) => yes(incoming));
  await server.start();
  const client = transport(pair.client, async () => ({ kind: 'close' }), {
    self: CLIENT,
    clientLimits: { maxElectionConnectionsKept: 0 },
  });
  const call = async (channel: Call['channel'], request: Call['request']): Promise<void> => {
    expect(await client.call({ address: pair.address(), channel, request })).toMatchObject({ ok: true });
  };
  await call('heartbeat', heartbeat());
  await until(() => streams() <= 2, 'only that of the heartbeats is open, on both sides');
  for (let i = 0; i < 100; i++) await call('election', i % 2 === 0 ? vote() : preVote());
  await until(() => streams() <= 2, 'the others are closed');
  expect(server.inboundConnections).toBe(1);
});

it('answers more streams at the same time than libp2p allows of itself', async () => {
  const pair = await libp2pPair();
  const all = Promise.withResolvers<void>();
  let asked = 0;
  const server = transport(pair.server, async (incoming) => {
    if (++asked === 100) all.resolve();
    await all.promise;
    return yes(incoming);
  });
  await server.start();
  const client = transport(pair.client, async () => ({ kind: 'close' }), {
    self: CLIENT,
    clientLimits: { maxElectionCalls: 100 },
  });
  const address = pair.address();
  const calls = Array.from({ length: 100 }, () => client.call({ address, channel: 'election', request: vote() }));
  expect((await Promise.all(calls)).filter(({ ok }) => !ok)).toEqual([]);
});
