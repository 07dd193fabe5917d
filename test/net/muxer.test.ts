import { describe, expect, it } from 'vitest';
import { createLibp2p } from 'libp2p';
import { noise } from '@libp2p/noise';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { multiaddr } from '@multiformats/multiaddr';
import { Uint8ArrayList } from 'uint8arraylist';
import type { MessageStream } from '@libp2p/interface';
import { FrameStream } from '../../src/net/frames.ts';
import { CoalescedWrites } from '../../src/net/muxer.ts';
import { filled, framePair, startHost, until } from './network.ts';

/** A connection that keeps what is written to it. */
function connection() {
  const written: Uint8Array[] = [];
  const fake = {
    writableNeedsDrain: false,
    send(data: Uint8Array | Uint8ArrayList): boolean {
      written.push(data.subarray());
      return !fake.writableNeedsDrain;
    },
  };
  return { fake, written, writes: new CoalescedWrites(fake as unknown as MessageStream) };
}

function header(type: number, flags: number, streamId: number, length: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(12));
  view.setUint8(1, type);
  view.setUint16(2, flags);
  view.setUint32(4, streamId);
  view.setUint32(8, length);
  return new Uint8Array(view.buffer);
}

const data = (streamId: number, length: number): Uint8ArrayList =>
  new Uint8ArrayList(header(0, 0, streamId, length), filled(length));
const credit = (streamId: number, length: number): Uint8Array => header(1, 0, streamId, length);

describe('coalesced yamux writes', () => {
  it('sends what is written within a tick in one write, in order', async () => {
    const { writes, written } = connection();
    expect([writes.send(data(1, 10)), writes.send(data(3, 20)), writes.send(header(2, 1, 0, 5))]).toEqual([
      true,
      true,
      true,
    ]);
    expect(written).toEqual([]);
    await Promise.resolve();
    expect(written.map(({ length }) => length)).toEqual([22 + 32 + 12]);
  });

  it('lets small window updates wait for data, and adds them up for each stream', async () => {
    const { writes, written } = connection();
    for (const update of [credit(1, 100), credit(3, 7), credit(1, 50)]) expect(writes.send(update)).toBe(true);
    await Promise.resolve();
    expect(written).toEqual([]);
    writes.send(data(5, 1));
    await Promise.resolve();
    expect(written).toEqual([new Uint8ArrayList(credit(1, 150), credit(3, 7), data(5, 1).subarray()).subarray()]);
  });

  it('sends a window update that matters, and those of many streams, without data', async () => {
    const { writes, written } = connection();
    writes.send(credit(1, 10_000));
    writes.send(credit(1, 10_000));
    await Promise.resolve();
    expect(written).toEqual([new Uint8ArrayList(credit(1, 10_000), credit(1, 10_000)).subarray()]);
    for (let streamId = 1; streamId <= 65; streamId++) writes.send(credit(streamId, 1));
    await Promise.resolve();
    expect(written[1]?.length).toBe(65 * 12);
  });

  it('never holds back what opens, ends or resets a stream', async () => {
    const { writes, written } = connection();
    for (const flags of [1, 2, 4, 8]) writes.send(header(1, flags, 1, 0));
    await Promise.resolve();
    expect(written[0]?.length).toBe(48);
  });

  it('writes large data at once, after what waits, and says when the connection is full', () => {
    const { writes, written, fake } = connection();
    writes.send(credit(3, 5));
    writes.send(data(1, 10));
    expect(writes.send(data(1, 9000))).toBe(true);
    expect(written.map(({ length }) => length)).toEqual([12 + 22, 9012]);
    fake.writableNeedsDrain = true;
    expect(writes.send(data(1, 10))).toBe(false);
    expect(written).toHaveLength(3);
  });

  it('does not stall a sender of many small frames that is never answered', async () => {
    let received = 0;
    const { client } = await framePair({ server: { onFrame: () => void received++ } });
    const count = 3000;
    for (let i = 0; i < count; i++) await client.write(filled(1000));
    await until(() => received === count, 'three megabytes arrive through a window of 256 KiB');
  });

  it('speaks with plain yamux, both ways, over noise where a peer offers no TLS', async () => {
    const host = await startHost();
    await host.handle('/echo/1', (stream, peer) => {
      const frames: FrameStream = new FrameStream(stream, peer, {
        maxFrameBytes: 1 << 20,
        onFrame: (frame) => void frames.send([frame]),
      });
    });
    const plain = await createLibp2p({
      transports: [tcp()],
      connectionEncrypters: [noise()],
      streamMuxers: [yamux()],
    });
    const stream = await plain.dialProtocol(multiaddr(host.addresses()[0]), '/echo/1');
    expect(host.connections()[0]?.encryption).toBe('/noise');
    const frames = new FrameStream(stream, host.peerId, { maxFrameBytes: 1 << 20 });
    for (let i = 0; i < 600; i++) {
      await frames.write(filled(1000, i % 256));
      expect((await frames.next())?.[0]).toBe(i % 256);
    }
    await plain.stop();
  });
});
