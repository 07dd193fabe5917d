import { createServer, type AddressInfo, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../src/base/bytes.ts';
import { TcpStreams } from '../../src/net/tcp-streams.ts';
import { connected, kinds, Recorded, tcpPair } from './byte-streams.ts';
import { codeOf, filled, until } from './network.ts';

describe.each(kinds)('byte streams over %s', (name, pairOf) => {
  it('carry bytes both ways and say who is there', async () => {
    const pair = await pairOf();
    const [client, server] = await connected(pair);
    for (const text of ['one', 'two', 'three']) client.connection.write(utf8(text));
    await until(() => server.text === '!onetwothree', 'all arrives');
    server.connection.write(utf8('back'));
    await until(() => client.text === 'back', 'the answer arrives');
    expect(Object.values(server.connection.remote)).toContain(pair.clientIs);
    expect(Object.values(client.connection.remote)).toContain(name === 'TCP' ? '127.0.0.1' : pair.address());
  });

  it('let go what was written before they are closed, and tell both sides once', async () => {
    const [client, server] = await connected(await pairOf());
    client.connection.write(filled(300_000));
    client.connection.close();
    expect(client.connection.isOpen).toBe(false);
    expect(client.connection.write(utf8('late'))).toBe(false);
    await until(() => server.closed === 1 && client.closed === 1, 'both are told');
    expect(server.bytes).toBe(300_001);
    client.connection.close();
    server.connection.destroy();
    expect([client.closed, server.closed]).toEqual([1, 1]);
  });

  it('are closed on both sides when one is destroyed', async () => {
    const [client, server] = await connected(await pairOf());
    server.connection.destroy();
    await until(() => server.closed === 1 && client.closed === 1, 'both are told');
    expect([client.connection.isOpen, server.connection.isOpen]).toEqual([false, false]);
  });

  it('stop the sender while the receiver is paused, and go on when it is not', async () => {
    const [client, server] = await connected(await pairOf());
    await until(() => server.bytes === 1, 'the connection is there');
    server.connection.pause();
    let sent = 1;
    const send = (): void => {
      while (sent < 64 << 20 && !client.connection.isFull) {
        client.connection.write(filled(256 << 10));
        sent += 256 << 10;
      }
    };
    for (let i = 0; i < 50; i++) {
      send();
      await new Promise((resolve) => setImmediate(resolve));
    }
    // What the buffers of the system take, far less than there is.
    expect(sent).toBeLessThan(32 << 20);
    expect(server.bytes).toBeLessThan(2 << 20);
    server.connection.resume();
    await until(
      () => {
        send();
        return server.bytes === sent && sent > 32 << 20;
      },
      'all arrives',
      15_000,
    );
    expect(client.writable).toBeGreaterThan(0);
  });

  it('end by force where the other side does not take what was written', async () => {
    const [client, server] = await connected(await pairOf());
    await until(() => server.bytes === 1, 'the connection is there');
    server.connection.pause();
    while (!client.connection.isFull) client.connection.write(filled(1 << 20));
    for (let i = 0; i < 16; i++) client.connection.write(filled(1 << 20));
    client.connection.close();
    await until(() => client.closed === 1, 'this side gives up');
  });
});

describe('TCP', () => {
  it('tells why a dial failed', async () => {
    const pair = await tcpPair();
    const dial = (address: string, deadlineMs = 1_000) => codeOf(pair.client.dial(address, deadlineMs));
    expect(await dial('127.0.0.1')).toBe('address-invalid');
    expect(await dial('127.0.0.1:99999')).toBe('address-invalid');
    expect(await dial('127.0.0.1:1')).toBe('dial-failed');
  });

  it('tells that a port cannot be listened on', async () => {
    const pair = await tcpPair();
    await pair.server.listen((connection) => connection.destroy());
    expect(await codeOf(new TcpStreams({ listen: pair.address() }).listen(() => {}))).toBe('listen-failed');
    expect(await codeOf(new TcpStreams({ listen: 'nowhere' }).listen(() => {}))).toBe('listen-failed');
  });

  it('sends what is written in one tick together', async () => {
    const pieces: number[] = [];
    const sockets: Socket[] = [];
    const server = createServer((socket) => {
      sockets.push(socket);
      socket.on('data', ({ length }) => pieces.push(length));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const client = new Recorded(await new TcpStreams({}).dial(`127.0.0.1:${port}`, 1_000));
    for (let i = 0; i < 20; i++) client.connection.write(filled(100));
    await until(() => pieces.length > 0, 'it arrives');
    expect(pieces).toEqual([2000]);
    for (const socket of sockets) socket.destroy();
    server.close();
  });
});
