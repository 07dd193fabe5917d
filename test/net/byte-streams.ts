/** The two kinds of byte streams, each as a pair of a listener and whoever dials it, for tests of what runs over them. */
import { afterEach } from 'vitest';
import type { ByteConnection, ByteStreams } from '../../src/net/byte-streams.ts';
import type { Host } from '../../src/net/host.ts';
import { Libp2pStreams, RAFT_PROTOCOL } from '../../src/net/libp2p-streams.ts';
import { TcpStreams } from '../../src/net/tcp-streams.ts';
import { startHosts } from './network.ts';

const open: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map(async (close) => close()));
});

export interface StreamsPair {
  readonly server: ByteStreams;
  readonly client: ByteStreams;
  /** Of the server, once it listens. */
  readonly address: () => string;
  /** Of the client, as the server sees it: peer id or IP address. */
  readonly clientIs: string;
  /** Of libp2p. */
  readonly hosts?: readonly Host[];
}

export const kinds: readonly (readonly [name: string, pair: () => Promise<StreamsPair>])[] = [
  ['TCP', tcpPair],
  ['libp2p', libp2pPair],
];

export async function tcpPair(): Promise<StreamsPair> {
  const server = new TcpStreams({ listen: '127.0.0.1:0' });
  const client = new TcpStreams({});
  open.push(() => server.stop());
  return { server, client, address: () => server.address, clientIs: '127.0.0.1' };
}

export async function libp2pPair(): Promise<StreamsPair> {
  const [a, b] = await startHosts(2);
  if (a === undefined || b === undefined) throw new TypeError('two hosts started');
  const server = new Libp2pStreams({ host: a, protocol: RAFT_PROTOCOL });
  const client = new Libp2pStreams({ host: b, protocol: RAFT_PROTOCOL, multiaddrsOf: () => a.addresses() });
  return { server, client, address: () => a.peerId, clientIs: b.peerId, hosts: [a, b] };
}

/** One end of a connection, with what came out of it. */
export class Recorded {
  readonly connection: ByteConnection;
  readonly pieces: Uint8Array[] = [];
  closed = 0;
  writable = 0;

  constructor(connection: ByteConnection) {
    this.connection = connection;
    open.push(async () => connection.destroy());
    connection.start({
      onBytes: (bytes) => this.pieces.push(bytes),
      onWritable: () => this.writable++,
      onClosed: () => this.closed++,
    });
  }

  get bytes(): number {
    return this.pieces.reduce((sum, { length }) => sum + length, 0);
  }

  get text(): string {
    return Buffer.concat(this.pieces).toString('latin1');
  }
}

/** Two ends of one connection. */
export async function connected(pair: StreamsPair): Promise<readonly [client: Recorded, server: Recorded]> {
  const accepted = Promise.withResolvers<Recorded>();
  await pair.server.listen((connection) => accepted.resolve(new Recorded(connection)));
  const client = new Recorded(await pair.client.dial(pair.address(), 5_000));
  // libp2p tells of a stream with the first bytes at the latest.
  client.connection.write(Uint8Array.of(0x21));
  return [client, await accepted.promise];
}
