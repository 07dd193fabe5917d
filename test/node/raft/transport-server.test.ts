import { describe, expect, it } from 'vitest';
import { concatBytes, toHex } from '../../../src/base/bytes.ts';
import { codedError, unwrap } from '../../../src/base/result.ts';
import type { IncomingRequest, RequestAnswer } from '../../../src/node/raft/transport.ts';
import { DEFAULT_DIALECT, type Dialect } from '../../../src/raft/wire/dialect.ts';
import { DEFAULT_WIRE_LIMITS } from '../../../src/raft/wire/limits.ts';
import { UNSUPPORTED_PROTOCOL } from '../../../src/raft/wire/protocol-version.ts';
import { encodeRequest, requestKindOf } from '../../../src/raft/wire/request-codec.ts';
import { decodeResponse, encodeError, encodeResponse } from '../../../src/raft/wire/response-codec.ts';
import { kinds, type Recorded } from '../../net/byte-streams.ts';
import { until } from '../../net/network.ts';
import { bytesOf, captured, crafted, dialectOf, type RpcVector } from '../../raft/wire/vectors.ts';
import {
  append,
  appended,
  Asked,
  entry,
  HEADER,
  heartbeat,
  preVote,
  responseBytes,
  snapshotOf,
  vote,
  yes,
} from './transport-fixture.ts';

const encoded = (...requests: Parameters<typeof encodeRequest>[0][]): Uint8Array =>
  concatBytes(...requests.map((request) => encodeRequest(request, DEFAULT_DIALECT)));

const hexOf = ({ pieces }: Recorded): string => toHex(concatBytes(...pieces));
const hexes = (...answers: readonly Uint8Array[]): string => toHex(concatBytes(...answers));

/** A handler whose answers wait until they are let go. */
class Gate {
  readonly waiting: { readonly incoming: IncomingRequest; readonly answer: (answer: RequestAnswer) => void }[] = [];

  readonly handler = (incoming: IncomingRequest): Promise<RequestAnswer> =>
    new Promise((answer) => this.waiting.push({ incoming, answer }));

  /** Answers the request that came as the `i`th. */
  letGo(i: number): void {
    const { incoming, answer } = this.waiting[i] as (typeof this.waiting)[0];
    answer(yes(incoming));
  }
}

/** Conversations of Go nodes of one version with one of them. */
function conversations(): (readonly [title: string, vectors: readonly RpcVector[], dialect: Dialect])[] {
  const spoken = captured.filter(({ lib }) => !lib.includes('ProtocolVersion'));
  const groups = new Map<string, RpcVector[]>();
  for (const vector of spoken) {
    const { Addr, ID } = vector.responseDecoded ?? {};
    const name = `${vector.lib}, ${typeof ID === 'string' ? `${ID} at ${String(Addr)}` : 'no name'}`;
    groups.set(name, [...(groups.get(name) ?? []), vector]);
  }
  return [...groups].map(([name, vectors]) => [name, vectors, dialectOf(vectors[0]?.lib ?? '')]);
}

describe.each(kinds)('a server over %s', (name, pairOf) => {
  describe('answers as it was captured:', () => {
    it.each(conversations())('%s', async (_title, vectors, dialect) => {
      const answers = vectors.map(({ request, response }) => {
        const kind = requestKindOf(bytesOf(request)[0] as number) ?? 'preVote';
        return unwrap(decodeResponse(kind, bytesOf(response)));
      });
      const { id, address } = answers[0]?.sender ?? {};
      const asked = new Asked(
        await pairOf(),
        async () => {
          const response = answers[asked.requests.length - 1]?.response ?? undefined;
          return response === undefined ? { kind: 'close' } : { kind: 'response', response };
        },
        { dialect, self: { id: id ?? '', address: address ?? '' } },
      );
      await asked.server.start();
      const go = await asked.dial();
      for (const { request, streamedBytesAfterRequest = 0 } of vectors) {
        go.connection.write(bytesOf(request));
        go.connection.write(new Uint8Array(streamedBytesAfterRequest));
      }
      const expected = vectors.map(({ response }) => response).join('');
      await until(() => hexOf(go) === expected, 'the answers of the capture come back');
    });
  });

  it('answers in the order of the requests, whichever it has first', async () => {
    const gate = new Gate();
    const asked = new Asked(await pairOf(), gate.handler);
    await asked.server.start();
    const peer = await asked.dial();
    peer.connection.write(encoded(append(1), append(2), vote(), append(3)));
    await until(() => gate.waiting.length === 4, 'all are handed over');
    for (const i of [3, 1, 2]) gate.letGo(i);
    const other = await asked.dial();
    other.connection.write(encoded(append(7)));
    await until(() => gate.waiting.length === 5, 'another connection is read');
    gate.letGo(4);
    await until(() => hexOf(other) === hexes(responseBytes(appended(7))), 'another connection is answered');
    expect(peer.bytes).toBe(0);
    gate.letGo(0);
    const granted = responseBytes({ kind: 'requestVote', term: 6, granted: true });
    const inOrder = hexes(...[1, 2].map((i) => responseBytes(appended(i))), granted, responseBytes(appended(3)));
    await until(() => hexOf(peer) === inOrder, 'all are answered in order');
  });

  it('answers a heartbeat while another connection of the leader waits for the disk', async () => {
    const gate = new Gate();
    const asked = new Asked(await pairOf(), async (incoming) =>
      incoming.request.kind === 'appendEntries' && incoming.request.entries === null
        ? yes(incoming)
        : await gate.handler(incoming),
    );
    await asked.server.start();
    const [log, heartbeats] = [await asked.dial(), await asked.dial()];
    log.connection.write(encoded(append(1, [entry(2, 300)])));
    await until(() => gate.waiting.length === 1, 'the entries wait');
    for (let beat = 1; beat <= 5; beat++) {
      heartbeats.connection.write(encoded(heartbeat()));
      const answered = hexes(...Array.from({ length: beat }, () => responseBytes(appended(0))));
      await until(() => hexOf(heartbeats) === answered, 'the heartbeat is answered');
    }
    expect(log.bytes).toBe(0);
  });

  it('says who the connection is', async () => {
    const pair = await pairOf();
    const asked = new Asked(pair, async (incoming) => yes(incoming));
    await asked.server.start();
    const peer = await asked.dial();
    peer.connection.write(encoded(vote()));
    await until(() => asked.requests.length === 1, 'it is asked');
    expect(asked.requests[0]?.remote).toEqual(
      name === 'TCP' ? { kind: 'address', ip: '127.0.0.1' } : { kind: 'peer', peerId: pair.clientIs },
    );
  });

  it('understands what comes byte by byte', async () => {
    const asked = new Asked(await pairOf(), async (incoming) => yes(incoming));
    await asked.server.start();
    const peer = await asked.dial();
    for (const byte of encoded(append(1, [entry(2, 40)]), vote())) {
      peer.connection.write(Uint8Array.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    const granted = responseBytes({ kind: 'requestVote', term: 6, granted: true });
    await until(() => hexOf(peer) === hexes(responseBytes(appended(1)), granted), 'both are answered');
    expect(asked.requests.map(({ request }) => request)).toEqual([append(1, [entry(2, 40)]), vote()]);
  });

  it('forgets a request that was broken off', async () => {
    const asked = new Asked(await pairOf(), async (incoming) => yes(incoming));
    await asked.server.start();
    const peer = await asked.dial();
    peer.connection.write(encoded(vote()).subarray(0, 50));
    await until(() => asked.server.inboundConnections === 1, 'the connection is there');
    peer.connection.destroy();
    await until(() => asked.server.inboundConnections === 0, 'the connection has gone');
    expect([asked.requests, asked.refusals]).toEqual([[], []]);
  });

  it('gives up a request that stops half-way', async () => {
    const asked = new Asked(await pairOf(), async (incoming) => yes(incoming), { serverLimits: { stalledMs: 200 } });
    await asked.server.start();
    const peer = await asked.dial();
    peer.connection.write(concatBytes(encoded(append(1)), encoded(vote()).subarray(0, 50)));
    await until(() => peer.closed === 1, 'the connection is closed');
    expect(hexOf(peer)).toBe(hexes(responseBytes(appended(1))));
    expect(asked.refusals).toEqual(['deadline-passed']);
  });

  it('gives up a connection on which nothing is asked, and keeps one that is of use', async () => {
    const asked = new Asked(await pairOf(), async (incoming) => yes(incoming), { serverLimits: { stalledMs: 300 } });
    await asked.server.start();
    const [useful, idle] = [await asked.dial(), await asked.dial()];
    useful.connection.write(encoded(append(1)));
    await until(() => useful.bytes > 0, 'one of them is answered');
    await until(() => idle.closed === 1, 'the other is closed');
    expect([useful.closed, asked.refusals]).toEqual([0, ['deadline-passed']]);
  });

  it('closes without a word on what is no request, once it has answered what came before', async () => {
    const gate = new Gate();
    const asked = new Asked(await pairOf(), gate.handler);
    await asked.server.start();
    for (const [bytes, code] of [
      [Uint8Array.of(9, 0x80), 'raft-rpc-unknown'],
      [Uint8Array.of(0x40, 0x80), 'raft-rpc-unknown'],
      [bytesOf('0081a45465726dff'), 'undecodable'],
      [bytesOf('0081a7456e74726965739181a45479706506'), 'raft-entry-type'],
      [bytesOf('0081a45465726dcfffffffffffffffff'), 'raft-number-range'],
      [bytesOf('0081a64c6561646572dbffffffff'), 'raft-limit-exceeded'],
    ] as const) {
      const peer = await asked.dial();
      peer.connection.write(concatBytes(encoded(append(1)), bytes, encoded(append(2))));
      await until(() => gate.waiting.length === 1 && asked.refusals.at(-1) === code, 'it is refused');
      expect(peer.closed).toBe(0);
      gate.letGo(0);
      await until(() => peer.closed === 1, 'the connection is closed');
      expect(hexOf(peer)).toBe(hexes(responseBytes(appended(1))));
      gate.waiting.length = 0;
    }
  });

  it('refuses other protocol versions as Go does, heartbeats apart', async () => {
    for (const ownVersion of [2, 3] as const) {
      const asked = new Asked(await pairOf(), async (incoming) => yes(incoming), {
        dialect: { ...DEFAULT_DIALECT, protocolVersion: ownVersion },
      });
      await asked.server.start();
      const peer = await asked.dial();
      const versions = [-1, 0, 1, 2, 3, 4];
      for (const protocolVersion of versions) {
        const ofVersion = { ...append(protocolVersion + 9), protocolVersion };
        // A negative version is written by hand: nobody here would.
        const bytes = encoded({ ...ofVersion, protocolVersion: Math.max(0, protocolVersion) });
        if (protocolVersion < 0) bytes[bytes.length - 'Term'.length - 3] = 0xff;
        peer.connection.write(bytes);
        peer.connection.write(encoded({ ...heartbeat(), protocolVersion: Math.max(0, protocolVersion) }));
      }
      const answers = versions.flatMap((version) => {
        const isSpoken = version >= ownVersion - 1 && version <= 3;
        return [isSpoken ? appended(version + 9) : null, appended(0)];
      });
      const sender = { id: 'n1', address: '127.0.0.1:7101' };
      const expected = hexes(
        ...answers.map((response) => {
          if (response === null) return encodeError(UNSUPPORTED_PROTOCOL);
          const answer = { error: '', response, protocolVersion: ownVersion, sender, peers: null };
          return encodeResponse(answer, DEFAULT_DIALECT);
        }),
      );
      await until(() => hexOf(peer) === expected, 'all are answered');
      expect(UNSUPPORTED_PROTOCOL).toBe('operation not supported with current protocol version');
    }
  });

  it('passes over a snapshot of an unknown version and says so in the words of Go', async () => {
    const asked = new Asked(await pairOf(), async (incoming) => yes(incoming));
    await asked.server.start();
    const peer = await asked.dial();
    const vector = crafted.find(({ name: title }) => title.includes('unsupported version 2'));
    peer.connection.write(concatBytes(bytesOf(vector?.request ?? ''), encoded(append(4))));
    const words = encodeError('unsupported snapshot version 2');
    await until(() => hexOf(peer) === hexes(words, responseBytes(appended(4))), 'both are answered');
    expect(vector?.response.startsWith(toHex(words.subarray(0, -1)))).toBe(true);
    expect(asked.refusals).toEqual(['raft-snapshot-version']);
  });

  it('tells an error of its own, and closes where it is told to', async () => {
    const asked = new Asked(await pairOf(), async ({ request }) => {
      if (request.kind === 'requestVote') return { kind: 'error', error: 'no' };
      if (request.kind === 'preVote') return { kind: 'close' };
      if (request.kind === 'timeoutNow') return { kind: 'error', error: 'stranger', closes: true };
      throw codedError('busy', 'too much');
    });
    await asked.server.start();
    const peer = await asked.dial();
    peer.connection.write(encoded(vote(), append(1), vote(), preVote(), vote()));
    await until(() => peer.closed === 1, 'it is closed');
    expect(hexOf(peer)).toBe(hexes(encodeError('no'), encodeError('busy: too much'), encodeError('no')));
    const stranger = await asked.dial();
    stranger.connection.write(encoded({ kind: 'timeoutNow', ...HEADER }, vote()));
    await until(() => stranger.closed === 1, 'it is closed');
    expect(hexOf(stranger)).toBe(hexes(encodeError('stranger')));
  });

  it('reads no further than may be under way, and goes on when it is answered', async () => {
    const gate = new Gate();
    const asked = new Asked(await pairOf(), gate.handler, { serverLimits: { maxRequestsUnderWay: 8 } });
    await asked.server.start();
    const peer = await asked.dial();
    const count = 2_000;
    for (let i = 1; i <= count; i++) peer.connection.write(encoded(append(i, [entry(i + 1, 1000)])));
    await until(() => gate.waiting.length === 8, 'as many as may be are handed over');
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
    expect(gate.waiting.length).toBe(8);
    for (let i = 0; i < count; i++) {
      await until(() => gate.waiting.length > i, 'the next is handed over');
      gate.letGo(i);
    }
    const all = Array.from({ length: count }, (_, i) => responseBytes(appended(i + 1)));
    await until(() => peer.bytes === hexes(...all).length / 2, 'all are answered');
    expect(hexOf(peer)).toBe(hexes(...all));
  });

  it('takes no more bytes under way than allowed, but always one request', async () => {
    const gate = new Gate();
    const asked = new Asked(await pairOf(), gate.handler, { serverLimits: { maxBytesUnderWay: 1000 } });
    await asked.server.start();
    const peer = await asked.dial();
    peer.connection.write(encoded(append(1, [entry(2, 5000)]), append(2)));
    await until(() => gate.waiting.length === 1, 'the large one is handed over');
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
    expect(gate.waiting.length).toBe(1);
    gate.letGo(0);
    await until(() => gate.waiting.length === 2, 'the next one is handed over');
  });

  it('does not read a peer that does not read its answers', async () => {
    const asked = new Asked(await pairOf(), async () => ({ kind: 'error', error: 'x'.repeat(40_000) }), {
      serverLimits: { maxRequestsUnderWay: 4 },
    });
    await asked.server.start();
    const peer = await asked.dial();
    peer.connection.pause();
    const count = 700;
    for (let i = 1; i <= count; i++) peer.connection.write(encoded(vote(i)));
    let [before, still] = [-1, 0];
    while (still < 20) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      still = asked.requests.length === before ? still + 1 : 0;
      before = asked.requests.length;
    }
    expect(asked.requests.length).toBeLessThan(count / 2);
    peer.connection.resume();
    const answer = encodeError('x'.repeat(40_000)).length;
    await until(() => peer.bytes === count * answer, 'all are answered', 15_000);
  });

  it('has a place for so many connections, and for so many of one peer', async () => {
    const asked = new Asked(await pairOf(), async (incoming) => yes(incoming), {
      serverLimits: { maxConnectionsPerRemote: 2 },
    });
    await asked.server.start();
    const peers = [await asked.dial(), await asked.dial()];
    for (const peer of peers) peer.connection.write(encoded(vote()));
    await until(() => peers.every(({ bytes }) => bytes > 0), 'both are answered');
    const third = await asked.dial();
    third.connection.write(encoded(vote()));
    await until(() => third.closed === 1, 'the third is closed');
    expect([third.bytes, asked.refusals]).toEqual([0, ['too-many-streams']]);
    peers[0]?.connection.close();
    await until(() => asked.server.inboundConnections === 1, 'one has gone');
    const fourth = await asked.dial();
    fourth.connection.write(encoded(vote()));
    await until(() => fourth.bytes > 0, 'the fourth is answered');
  });

  it('holds no more bytes of unfinished requests than allowed', async () => {
    const asked = new Asked(await pairOf(), async (incoming) => yes(incoming), {
      serverLimits: { maxGatheredBytes: 100_000 },
      wireLimits: { ...DEFAULT_WIRE_LIMITS, maxRequestBytes: 1 << 20 },
    });
    await asked.server.start();
    const [first, second] = [await asked.dial(), await asked.dial()];
    const bytes = encoded(append(1, [entry(2, 200_000)]));
    first.connection.write(bytes.subarray(0, 60_000));
    second.connection.write(bytes.subarray(0, 60_000));
    await until(() => first.closed + second.closed === 1, 'one of them is closed');
    expect(asked.refusals).toEqual(['raft-limit-exceeded']);
    const third = await asked.dial();
    third.connection.write(encoded(vote()));
    await until(() => third.bytes > 0, 'others are answered');
  });
});

describe.each(kinds)('a snapshot that comes over %s', (_name, pairOf) => {
  const size = 300_000;
  const body = new Uint8Array(size).map((_, i) => i * 7);

  it('is handed over as its bytes come', async () => {
    const taken: Uint8Array[] = [];
    const asked = new Asked(await pairOf(), async (incoming) => {
      for await (const piece of incoming.snapshot ?? []) taken.push(piece);
      return yes(incoming);
    });
    await asked.server.start();
    const peer = await asked.dial();
    peer.connection.write(concatBytes(encoded(snapshotOf(size)), body.subarray(0, 1000)));
    await until(() => taken.length > 0, 'the first bytes are taken');
    expect(peer.bytes).toBe(0);
    peer.connection.write(concatBytes(body.subarray(1000), encoded(append(3))));
    const success = responseBytes({ kind: 'installSnapshot', term: 5, success: true });
    await until(() => hexOf(peer) === hexes(success, responseBytes(appended(3))), 'both requests are answered');
    expect(toHex(concatBytes(...taken))).toBe(toHex(body));
  });

  it('is read no faster than it is taken', async () => {
    const go = Promise.withResolvers<void>();
    let taken = 0;
    const asked = new Asked(
      await pairOf(),
      async (incoming) => {
        for await (const piece of incoming.snapshot ?? []) {
          if (taken === 0) await go.promise;
          taken += piece.length;
        }
        return yes(incoming);
      },
      { serverLimits: { maxSnapshotBytesWaiting: 64 << 10 } },
    );
    await asked.server.start();
    const peer = await asked.dial();
    const total = 24 << 20;
    peer.connection.write(encoded(snapshotOf(total)));
    let sent = 0;
    const send = (): void => {
      while (sent < total && !peer.connection.isFull) {
        peer.connection.write(new Uint8Array(64 << 10));
        sent += 64 << 10;
      }
    };
    for (let i = 0; i < 50; i++) {
      send();
      await new Promise((resolve) => setImmediate(resolve));
    }
    // The rest is in the buffers of the system.
    expect(sent).toBeLessThan((total * 2) / 3);
    go.resolve();
    await until(
      () => {
        send();
        return peer.bytes > 0;
      },
      'it is answered',
      15_000,
    );
    expect(taken).toBe(total);
  });

  it('that nobody wants is passed over before the answer, and the connection stays of use', async () => {
    const asked = new Asked(await pairOf(), async ({ request }) =>
      request.kind === 'installSnapshot'
        ? { kind: 'response', response: { kind: 'installSnapshot', term: 9, success: false } }
        : yes({ request }),
    );
    await asked.server.start();
    const peer = await asked.dial();
    peer.connection.write(concatBytes(encoded(snapshotOf(size)), body.subarray(0, -1)));
    await until(() => asked.requests.length === 1, 'it is asked');
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
    expect(peer.bytes).toBe(0);
    peer.connection.write(concatBytes(body.subarray(-1), encoded(append(3))));
    const failure = responseBytes({ kind: 'installSnapshot', term: 9, success: false });
    await until(() => hexOf(peer) === hexes(failure, responseBytes(appended(3))), 'both requests are answered');
  });

  it('is passed over too when its receiver fails within', async () => {
    const asked = new Asked(await pairOf(), async (incoming) => {
      for await (const _ of incoming.snapshot ?? []) throw codedError('store-disk-full', 'no space is left');
      return yes(incoming);
    });
    await asked.server.start();
    const peer = await asked.dial();
    peer.connection.write(concatBytes(encoded(snapshotOf(size)), body, encoded(append(3))));
    const failure = encodeError('store-disk-full: no space is left');
    await until(() => hexOf(peer) === hexes(failure, responseBytes(appended(3))), 'both requests are answered');
  });

  it('of another protocol version is passed over, and refused', async () => {
    const asked = new Asked(await pairOf(), async (incoming) => yes(incoming));
    await asked.server.start();
    const peer = await asked.dial();
    peer.connection.write(concatBytes(encoded({ ...snapshotOf(size), protocolVersion: 1 }), body, encoded(append(3))));
    const refused = encodeError(UNSUPPORTED_PROTOCOL);
    await until(() => hexOf(peer) === hexes(refused, responseBytes(appended(3))), 'both requests are answered');
    expect(asked.requests).toHaveLength(1);
  });

  it('of no bytes is answered at once', async () => {
    const asked = new Asked(await pairOf(), async (incoming) => {
      for await (const _ of incoming.snapshot ?? []) return { kind: 'close' };
      return yes(incoming);
    });
    await asked.server.start();
    const peer = await asked.dial();
    peer.connection.write(encoded(snapshotOf(0)));
    await until(() => peer.bytes > 0, 'it is answered');
  });

  it('whose sender goes away fails at its receiver', async () => {
    const failed = Promise.withResolvers<string>();
    const asked = new Asked(await pairOf(), async (incoming) => {
      try {
        for await (const _ of incoming.snapshot ?? []);
      } catch (error) {
        failed.resolve(error instanceof Error && 'code' in error ? String(error.code) : String(error));
      }
      return { kind: 'close' };
    });
    await asked.server.start();
    const peer = await asked.dial();
    peer.connection.write(concatBytes(encoded(snapshotOf(size)), body.subarray(0, 1000)));
    await until(() => asked.requests.length === 1, 'it is asked');
    peer.connection.destroy();
    expect(await failed.promise).toBe('stream-closed');
  });

  it('that stops half-way is given up', async () => {
    const asked = new Asked(
      await pairOf(),
      async (incoming) => {
        for await (const _ of incoming.snapshot ?? []);
        return yes(incoming);
      },
      { serverLimits: { stalledMs: 200 } },
    );
    await asked.server.start();
    const peer = await asked.dial();
    peer.connection.write(concatBytes(encoded(snapshotOf(size)), body.subarray(0, 1000)));
    await until(() => peer.closed === 1, 'the connection is closed');
    expect(asked.refusals).toEqual(['deadline-passed']);
  });
});
