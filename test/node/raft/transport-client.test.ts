import { describe, expect, it } from 'vitest';
import { concatBytes, toHex, utf8 } from '../../../src/base/bytes.ts';
import { codedError } from '../../../src/base/result.ts';
import { snapshotDeadlineMs } from '../../../src/node/raft/snapshot-call.ts';
import type { NetworkTransport } from '../../../src/node/raft/network-transport.ts';
import type { Call, CallResult, RaftTransportOptions } from '../../../src/node/raft/transport.ts';
import type { RaftRequest } from '../../../src/raft/messages.ts';
import { DEFAULT_DIALECT } from '../../../src/raft/wire/dialect.ts';
import { encodeError } from '../../../src/raft/wire/response-codec.ts';
import { kinds, type StreamsPair } from '../../net/byte-streams.ts';
import { until } from '../../net/network.ts';
import {
  agreed,
  append,
  appended,
  CLIENT,
  entry,
  heartbeat,
  preVote,
  RawServer,
  responseBytes,
  SERVER,
  snapshotOf,
  transport,
  vote,
} from './transport-fixture.ts';

interface Called {
  readonly server: RawServer;
  readonly client: NetworkTransport;
  readonly pair: StreamsPair;
  readonly call: (channel: Call['channel'], request: RaftRequest) => Promise<CallResult>;
}

/** A transport that calls a raw server. */
async function called(pair: StreamsPair, options: Partial<RaftTransportOptions> = {}): Promise<Called> {
  const server = new RawServer();
  await server.listen(pair);
  const client = transport(pair.client, async () => ({ kind: 'close' }), { self: CLIENT, ...options });
  const address = pair.address();
  return { server, client, pair, call: (channel, request) => client.call({ address, channel, request }) };
}

/** `ok`, or why not. */
const told = (result: CallResult): string => (result.ok ? 'ok' : result.failure);
const lastIndexOf = (result: CallResult): number | undefined =>
  result.ok && result.response.kind === 'appendEntries' ? result.response.lastIndex : undefined;

async function* pieces(...all: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* all;
}

describe.each(kinds)('calls over %s', (name, pairOf) => {
  /** A handshake takes its time. */
  const callDeadlineMs = name === 'TCP' ? 150 : 2_000;

  it('carry the request and bring the response with its sender', async () => {
    const { server, call } = await called(await pairOf());
    server.onRequest = (peer, parsed) => {
      if (parsed.kind === 'request') peer.answer(agreed(parsed.request));
    };
    const requests = [append(7, [entry(8, 300)]), heartbeat(), vote(), preVote()] as const;
    const channels = ['log', 'heartbeat', 'election', 'election'] as const;
    for (const [i, request] of requests.entries()) {
      const result = await call(channels[i] as Call['channel'], request);
      expect(result).toEqual({ ok: true, response: agreed(request), sender: SERVER });
    }
    expect(server.requests).toEqual(expect.arrayContaining([...requests]));
    const handover = { kind: 'timeoutNow', protocolVersion: 3, sender: CLIENT } as const;
    expect(await call('election', handover)).toMatchObject({ ok: true, response: { kind: 'timeoutNow' } });
  });

  it('of the log do not wait for each other, and share one connection', async () => {
    const { server, call } = await called(await pairOf());
    const calls = Array.from({ length: 100 }, (_, i) => call('log', append(i + 1, [entry(i + 2, 200)])));
    await until(() => server.requests.length === 100, 'all are there, unanswered');
    expect(server.connections).toHaveLength(1);
    for (let i = 1; i <= 100; i++) server.connections[0]?.answer(appended(i));
    expect((await Promise.all(calls)).map(lastIndexOf)).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
  });

  it('of heartbeats and elections do not wait for entries', async () => {
    const { server, call } = await called(await pairOf());
    server.onRequest = (peer, parsed) => {
      if (parsed.kind === 'request' && (parsed.request.kind !== 'appendEntries' || parsed.request.entries === null))
        peer.answer(agreed(parsed.request));
    };
    const waiting = call('log', append(1, [entry(2, 1 << 20)]));
    for (let i = 0; i < 3; i++) {
      expect(told(await call('heartbeat', heartbeat()))).toBe('ok');
      expect(told(await call('election', vote()))).toBe('ok');
    }
    expect(server.connections).toHaveLength(3);
    const log = server.connections.find(({ requests }) => requests[0]?.kind === 'appendEntries' && requests[0].entries);
    log?.answer(appended(1));
    expect(lastIndexOf(await waiting)).toBe(1);
  });

  it('of elections go side by side, on connections that are kept', async () => {
    const { server, call } = await called(await pairOf(), { clientLimits: { maxElectionConnectionsKept: 2 } });
    const round = async (): Promise<void> => {
      const seen = server.requests.length;
      const calls = [vote(), preVote(), vote(7)].map((request) => call('election', request));
      await until(() => server.requests.length === seen + 3, 'all are there, unanswered');
      for (const peer of server.connections) {
        const request = peer.requests.at(-1);
        if (request !== undefined && !peer.isClosed) peer.answer(agreed(request));
      }
      expect((await Promise.all(calls)).map(told)).toEqual(['ok', 'ok', 'ok']);
    };
    await round();
    await until(() => server.connections.filter(({ isClosed }) => isClosed).length === 1, 'one is closed');
    server.onRequest = (peer, parsed) => {
      if (parsed.kind === 'request') peer.answer(agreed(parsed.request));
    };
    expect(told(await call('election', vote()))).toBe('ok');
    expect(told(await call('election', vote()))).toBe('ok');
    expect(server.connections).toHaveLength(3);
  });

  it('fail as closed, all that are under way, when the connection closes', async () => {
    const { server, call } = await called(await pairOf());
    const calls = [1, 2, 3].map((i) => call('log', append(i)));
    await until(() => server.requests.length === 3, 'all are there');
    server.connections[0]?.answer(appended(1));
    server.connections[0]?.connection.close();
    expect((await Promise.all(calls)).map(told)).toEqual(['ok', 'closed', 'closed']);
    server.onRequest = (peer, parsed) => {
      if (parsed.kind === 'request') peer.answer(agreed(parsed.request));
    };
    expect(told(await call('log', append(4)))).toBe('ok');
  });

  it('fail as timeout when there is no answer, and take the connection with them', async () => {
    const { server, call } = await called(await pairOf(), { clientLimits: { callDeadlineMs } });
    const calls = [1, 2, 3].map((i) => call('log', append(i)));
    await until(() => server.requests.length === 3, 'all are there');
    server.connections[0]?.answer(appended(1));
    expect((await Promise.all(calls)).map(told)).toEqual(['ok', 'timeout', 'closed']);
    await until(() => server.connections[0]?.isClosed === true, 'the connection is closed');
  });

  it('fail as error with the text of the peer, and the connection stays of use', async () => {
    const { server, call } = await called(await pairOf());
    server.onRequest = (peer) => peer.connection.write(encodeError('raft is shutdown'));
    for (const channel of ['log', 'log', 'election', 'election'] as const) {
      const request = channel === 'log' ? append(1) : vote();
      expect(await call(channel, request)).toMatchObject({
        failure: 'error',
        refusal: { code: 'raft-call-refused', message: 'raft is shutdown' },
      });
    }
    expect(server.connections).toHaveLength(2);
  });

  it('fail as error when the answer is none', async () => {
    const { server, call } = await called(await pairOf());
    server.onRequest = (peer) => peer.connection.write(utf8('HTTP/1.1 400 Bad Request\r\n\r\n'));
    const calls = [call('log', append(1)), call('log', append(2))];
    expect((await Promise.all(calls)).map(told)).toEqual(['error', 'closed']);
    await until(() => server.connections[0]?.isClosed === true, 'the connection is closed');
  });

  it('are not mixed up with an answer that nobody asked for', async () => {
    const { server, call } = await called(await pairOf());
    server.onRequest = (peer) =>
      peer.connection.write(concatBytes(responseBytes(appended(1)), responseBytes(appended(2))));
    expect(lastIndexOf(await call('log', append(1)))).toBe(1);
    await until(() => server.connections[0]?.isClosed === true, 'the connection is closed');
  });

  it('that an old version closes on fail as closed, and no other call does', async () => {
    const { server, call } = await called(await pairOf());
    server.onRequest = (peer, parsed) => {
      if (parsed.kind !== 'request') return;
      if (parsed.request.kind === 'preVote') peer.connection.close();
      else peer.answer(agreed(parsed.request));
    };
    expect(told(await call('election', vote()))).toBe('ok');
    expect((await Promise.all([call('election', preVote()), call('election', vote())])).map(told)).toEqual([
      'closed',
      'ok',
    ]);
    expect(told(await call('election', vote()))).toBe('ok');
  });

  it('are made again when the connection was closed while nobody used it', async () => {
    const { server, call } = await called(await pairOf());
    server.onRequest = (peer, parsed) => {
      if (parsed.kind === 'request') peer.answer(agreed(parsed.request));
    };
    expect(told(await call('election', preVote()))).toBe('ok');
    // The close is on its way while the call is: it says nothing of the call.
    server.connections[0]?.connection.destroy();
    expect(told(await call('election', preVote()))).toBe('ok');
    expect(server.connections).toHaveLength(2);
  });

  it('of pre-votes are not made where all versions are old', async () => {
    const { server, call } = await called(await pairOf(), { dialect: { ...DEFAULT_DIALECT, preVote: false } });
    expect(told(await call('election', preVote()))).toBe('closed');
    expect(server.connections).toHaveLength(0);
  });

  it('fail at once while more wait than allowed', async () => {
    const { server, call } = await called(await pairOf(), {
      clientLimits: { maxCallsWaiting: 3, maxBytesWaiting: 20_000, maxElectionCalls: 1 },
    });
    const large = call('log', append(1, [entry(2, 30_000)]));
    expect(await call('log', append(2))).toMatchObject({ failure: 'unreachable', refusal: { code: 'busy' } });
    const beats = [1, 2, 3].map(() => call('heartbeat', heartbeat()));
    expect(told(await call('heartbeat', heartbeat()))).toBe('unreachable');
    const election = call('election', vote());
    expect(told(await call('election', vote()))).toBe('unreachable');
    await until(() => server.requests.length === 5, 'what was allowed arrives');
    for (const peer of server.connections) for (const request of peer.requests) peer.answer(agreed(request));
    expect((await Promise.all([large, election, ...beats])).map(told)).toEqual(['ok', 'ok', 'ok', 'ok', 'ok']);
  });

  it('end as closed when the transport stops, or its peer is no longer wanted', async () => {
    const { server, client, call, pair } = await called(await pairOf());
    const calls = [call('log', append(1)), call('heartbeat', heartbeat()), call('election', vote())];
    await until(() => server.requests.length === 3, 'all are there');
    client.retain([pair.address()]);
    expect(server.connections.some(({ isClosed }) => isClosed)).toBe(false);
    client.retain(['another:1']);
    expect((await Promise.all(calls)).map(told)).toEqual(['closed', 'closed', 'closed']);
    await until(() => server.connections.every(({ isClosed }) => isClosed), 'the connections are closed');
    const last = call('log', append(2));
    await client.stop();
    expect(told(await last)).not.toBe('ok');
    expect(told(await call('log', append(3)))).toBe('closed');
  });

  it('to more peers than allowed close what was used least lately', async () => {
    const pair = await pairOf();
    const { server, client, call } = await called(pair, { clientLimits: { maxPeers: 1, dialDeadlineMs: 500 } });
    server.onRequest = (peer, parsed) => {
      if (parsed.kind === 'request') peer.answer(agreed(parsed.request));
    };
    expect(told(await call('log', append(1)))).toBe('ok');
    const other = name === 'TCP' ? '127.0.0.1:1' : pair.clientIs;
    expect(told(await client.call({ address: other, channel: 'log', request: append(1) }))).toBe('unreachable');
    await until(() => server.connections[0]?.isClosed === true, 'the connection is closed');
  });
});

describe('a peer that is not there', () => {
  const tcp = kinds[0] as (typeof kinds)[0];

  it('is unreachable, at once and without a dial for each call', async () => {
    const pair = await tcp[1]();
    let dials = 0;
    const counting = {
      listen: async (): Promise<void> => {},
      stop: async (): Promise<void> => {},
      dial: (address: string, deadlineMs: number) => {
        dials++;
        return pair.client.dial(address, deadlineMs);
      },
    };
    const client = transport(counting, async () => ({ kind: 'close' }), {
      clientLimits: { redialMinMs: 1_000_000, redialMaxMs: 1_000_000 },
    });
    const call = (channel: Call['channel']) =>
      client.call({ address: '127.0.0.1:1', channel, request: channel === 'election' ? vote() : append(1) });
    expect((await Promise.all([call('log'), call('log'), call('log')])).map(told)).toEqual(
      Array(3).fill('unreachable'),
    );
    for (let i = 0; i < 50; i++) expect(told(await call('log'))).toBe('unreachable');
    expect(told(await call('heartbeat'))).toBe('unreachable');
    expect(dials).toBe(1);
    // An election is rare, and asks again.
    expect(told(await call('election'))).toBe('unreachable');
    expect(dials).toBe(2);
  });

  it('or closes whatever is opened, is not dialled as fast as it is called', async () => {
    const { server, call } = await called(await tcp[1](), {
      clientLimits: { redialMinMs: 1_000_000, redialMaxMs: 1_000_000 },
    });
    server.onRequest = (peer) => peer.connection.close();
    expect(told(await call('log', append(1)))).toBe('closed');
    for (let i = 0; i < 50; i++) expect(told(await call('log', append(1)))).toBe('unreachable');
    expect(server.connections).toHaveLength(1);
  });

  it('is found again soon once it is back', async () => {
    const pair = await tcp[1]();
    await pair.server.listen((connection) => connection.destroy());
    const address = pair.address();
    await pair.server.stop();
    const client = transport(pair.client, async () => ({ kind: 'close' }));
    const call = () => client.call({ address, channel: 'log', request: append(1) });
    expect(told(await call())).toBe('unreachable');
    const { TcpStreams } = await import('../../../src/net/tcp-streams.ts');
    const server = new RawServer();
    server.onRequest = (peer, parsed) => {
      if (parsed.kind === 'request') peer.answer(agreed(parsed.request));
    };
    const again = new TcpStreams({ listen: address });
    await server.listen({ ...pair, server: again, address: () => address });
    let last = '';
    while (last !== 'ok') {
      last = told(await call());
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  });
});

describe.each(kinds)('a snapshot that goes over %s', (name, pairOf) => {
  const size = 300_000;
  const body = new Uint8Array(size).map((_, i) => i * 7);

  const send = async ({ client, pair }: Called, snapshot: AsyncIterable<Uint8Array>): Promise<CallResult> =>
    await client.call({ address: pair.address(), channel: 'snapshot', request: snapshotOf(size), snapshot });

  it('arrives whole, on a connection that is closed after the answer', async () => {
    const both = await called(await pairOf());
    const received: Uint8Array[] = [];
    both.server.onRequest = (peer, parsed) => {
      if (parsed.kind === 'body') received.push(parsed.bytes);
      if (parsed.kind === 'body' && parsed.left === 0) peer.answer({ kind: 'installSnapshot', term: 5, success: true });
    };
    const result = await send(both, pieces(body.subarray(0, 1), body.subarray(1, 200_000), body.subarray(200_000)));
    expect(result).toMatchObject({ ok: true, response: { kind: 'installSnapshot', success: true } });
    expect(both.server.requests).toEqual([snapshotOf(size)]);
    expect(toHex(concatBytes(...received))).toBe(toHex(body));
    await until(() => both.server.connections[0]?.isClosed === true, 'the connection is closed');
  });

  it('is read no faster than it leaves', async () => {
    const both = await called(await pairOf());
    both.server.onConnection = ({ connection }) => connection.pause();
    let read = 0;
    const total = 64 << 20;
    const source = (async function* () {
      for (; read < total; read += 64 << 10) yield new Uint8Array(64 << 10);
    })();
    const { client, pair } = both;
    const request = snapshotOf(total);
    const result = client.call({ address: pair.address(), channel: 'snapshot', request, snapshot: source });
    let [before, still] = [-1, 0];
    while (still < 20) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      still = read > 0 && read === before ? still + 1 : 0;
      before = read;
    }
    // The rest is in the buffers of the system.
    expect(read).toBeLessThan(total / 2);
    both.server.connections[0]?.connection.destroy();
    expect(told(await result)).toBe('closed');
  });

  it('of another size than announced is broken off', async () => {
    const both = await called(await pairOf(), { clientLimits: { redialMinMs: 0, redialMaxMs: 0 } });
    for (const wrong of [body.subarray(1), concatBytes(body, Uint8Array.of(0))]) {
      const result = await send(both, pieces(wrong));
      expect(result).toMatchObject({ failure: 'error', refusal: { code: 'raft-snapshot-size' } });
    }
    await until(() => both.server.connections.every(({ isClosed }) => isClosed), 'the connections are closed');
  });

  it('that cannot be read is broken off, with the reason', async () => {
    const both = await called(await pairOf());
    const failing = (async function* () {
      yield body.subarray(0, 1000);
      throw codedError('store-read-failed', 'the disk');
    })();
    expect(await send(both, failing)).toMatchObject({ failure: 'error', refusal: { code: 'store-read-failed' } });
    await until(() => both.server.connections[0]?.isClosed === true, 'the connection is closed');
  });

  it('is not sent on once the peer has answered', async () => {
    const both = await called(await pairOf());
    both.server.onRequest = (peer, parsed) => {
      if (parsed.kind === 'request') peer.answer({ kind: 'installSnapshot', term: 9, success: false });
    };
    const endless = (async function* () {
      yield body.subarray(0, 1000);
      await new Promise(() => {});
    })();
    expect(await send(both, endless)).toMatchObject({ ok: true, response: { term: 9, success: false } });
  });

  it('fails with its deadline whatever its source does', async () => {
    const both = await called(await pairOf(), { clientLimits: { callDeadlineMs: name === 'TCP' ? 150 : 2_000 } });
    const stuck = (async function* () {
      yield body.subarray(0, 1000);
      await new Promise(() => {});
    })();
    expect(told(await send(both, stuck))).toBe('timeout');
  });

  it('ends as closed when the transport stops', async () => {
    const both = await called(await pairOf());
    const stuck = (async function* () {
      yield body.subarray(0, 1000);
      await new Promise(() => {});
    })();
    const result = send(both, stuck);
    await until(() => both.server.requests.length === 1, 'it is under way');
    await both.client.stop();
    expect(told(await result)).toBe('closed');
  });
});

it('a snapshot may take as long as another call for each 256 KiB of it', () => {
  expect([0, 1, 262_144, 524_287, 524_288, 64 << 20].map((bytes) => snapshotDeadlineMs(10_000, bytes))).toEqual([
    ...[10_000, 10_000, 10_000, 10_000, 20_000, 2_560_000],
  ]);
});
