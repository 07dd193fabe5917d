import { describe, expect, it } from 'vitest';
import { FrameStream } from '../../src/net/frames.ts';
import { codeOf, filled, framePair, until } from './network.ts';

describe('frame stream', () => {
  it('carries frames both ways, in order, and ends well on both sides', async () => {
    const { client, server } = await framePair();
    client.send([filled(1), filled(70_000), filled(3)]);
    for (const length of [1, 70_000, 3]) expect((await server.next())?.length).toBe(length);
    await server.write(filled(5, 9));
    expect(await client.next()).toEqual(filled(5, 9));
    await client.end();
    expect(await server.next()).toBeUndefined();
    await server.finish();
    expect(await client.next()).toBeUndefined();
    expect(await Promise.all([client.closed, server.closed])).toEqual([undefined, undefined]);
  });

  it('stops the sender while the receiver takes nothing, and goes on when it does', async () => {
    const { client, server, serverStream } = await framePair({ server: { maxWaitingBytes: 1 << 20 } });
    const total = 64;
    let sent = 0;
    const writing = (async () => {
      for (; sent < total; sent++) await client.write(filled(512 << 10));
      await client.end();
    })();
    await until(() => serverStream.readStatus === 'paused', 'the receiver pauses');
    // What is under way is bounded by windows and buffers, far below the 32 MiB that the sender has.
    await until(() => !client.writable, 'the sender is stopped');
    expect(sent).toBeLessThan(32);
    let received = 0;
    for (let frame = await server.next(); frame !== undefined; frame = await server.next()) received++;
    await writing;
    expect(received).toBe(total);
  });

  it('pauses while a promise that the receiver of frames returned is pending', async () => {
    const gates: PromiseWithResolvers<void>[] = [];
    const { client } = await framePair({
      server: {
        onFrame: () => {
          const gate = Promise.withResolvers<void>();
          gates.push(gate);
          return gate.promise;
        },
      },
    });
    client.send([filled(1), filled(1), filled(1)]);
    await until(() => gates.length === 1, 'the first frame is delivered');
    gates[0]?.resolve();
    await until(() => gates.length === 2, 'the second frame is delivered');
    gates[1]?.resolve();
    await until(() => gates.length === 3, 'the third frame is delivered');
    gates[2]?.resolve();
  });

  it('resets a stream whose receiver fails, at once or later', async () => {
    for (const later of [false, true]) {
      const { client, server } = await framePair({
        server: {
          onFrame: () => {
            if (later) return Promise.reject(new Error('a bug'));
            throw new Error('a bug');
          },
        },
      });
      client.send([filled(1)]);
      expect((await server.closed)?.code).toBe('stream-handler-failed');
      expect((await client.closed)?.code).toBe('stream-closed');
    }
  });

  it('refuses a frame that is too large, on both sides by code', async () => {
    const { client, server } = await framePair({ server: { maxFrameBytes: 1000 } });
    client.send([filled(1001)]);
    expect(await codeOf(server.next())).toBe('frame-too-large');
    expect(await codeOf(client.next())).toBe('stream-closed');
  });

  it('tells a frame that was cut short from a clean end', async () => {
    const { client, server, clientStream } = await framePair();
    clientStream.send(Uint8Array.of(0, 0, 0, 9, 1, 2));
    void clientStream.close();
    expect(await codeOf(server.next())).toBe('frame-truncated');
    expect((await client.closed)?.code).toBe('stream-closed');
  });

  it('ends an exchange that takes too long, whatever trickles in', async () => {
    const { server, clientStream } = await framePair();
    server.expireAfter(60);
    clientStream.send(Uint8Array.of(0, 0, 0, 200));
    const trickle = setInterval(() => clientStream.status === 'open' && clientStream.send(Uint8Array.of(0)), 10);
    expect(await codeOf(server.next())).toBe('deadline-passed');
    clearInterval(trickle);
  });

  it('ends a stream on which one frame takes too long, and none while it is silent between frames', async () => {
    const { server, clientStream } = await framePair({ server: { frameDeadlineMs: 40 } });
    clientStream.send(Uint8Array.of(0, 0, 0, 1, 5));
    expect(await server.next()).toEqual(Uint8Array.of(5));
    clientStream.send(Uint8Array.of(0, 0, 0, 2, 5));
    expect(await codeOf(server.next())).toBe('deadline-passed');
  });

  it('fails a writer that waits when the stream is reset', async () => {
    const { client, server } = await framePair();
    const writing = codeOf(
      (async () => {
        for (;;) await client.write(filled(1 << 20));
      })(),
    );
    await until(() => !client.writable, 'the sender is stopped');
    server.abort({ code: 'enough', message: 'enough', details: {} });
    expect(await writing).toBe('stream-closed');
    expect(await codeOf(server.next())).toBe('enough');
  });

  it('cuts off a peer that does not end its side', async () => {
    const { client, server } = await framePair();
    await server.finish();
    expect((await server.closed)?.code).toBe('deadline-passed');
    expect((await client.closed)?.code).toBe('stream-closed');
  });
});

it('tells of an end that came before it was made only once it is made', async () => {
  const ended = { addEventListener: () => undefined, readableEnded: true, status: 'open' } as never;
  let isToldOfItself = false;
  const frames: FrameStream = new FrameStream(ended, 'peer', {
    maxFrameBytes: 1024,
    onEnd: () => {
      isToldOfItself = frames instanceof FrameStream;
    },
  });
  await until(() => isToldOfItself, 'the end is told');
});
