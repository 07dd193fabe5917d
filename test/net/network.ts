/** Hosts on loopback for the tests of this room: real sockets, ports that the system chooses, no sleeps. */
import { afterEach } from 'vitest';
import type { Stream } from '@libp2p/interface';
import { FrameStream, type FrameStreamOptions } from '../../src/net/frames.ts';
import { createHost, type Host, type HostOptions, type PeerTarget } from '../../src/net/host.ts';
import { Random } from '../../src/base/random.ts';
import { identityKeyFromSecret, type IdentityKeyType } from '../../src/node/keys.ts';

const hosts: Host[] = [];
let nextSeed = 1;

afterEach(async () => {
  await Promise.all(hosts.splice(0).map((host) => host.stop()));
});

export const LOOPBACK = '/ip4/127.0.0.1/tcp/0';

/** An identity key as libp2p's protobuf, the same for the same seed. */
export function secret(seed: number = nextSeed++, keyType: IdentityKeyType = 'ed25519'): Uint8Array {
  return identityKeyFromSecret(keyType, new Random(seed).bytes(32)).protobuf;
}

/** A host that is stopped after the test. */
export async function startHost(options: Partial<HostOptions> = {}): Promise<Host> {
  const host = await createHost({ identity: secret(), listen: [LOOPBACK], chainId: 'test', ...options });
  hosts.push(host);
  return host;
}

export async function startHosts(count: number, options: Partial<HostOptions> = {}): Promise<Host[]> {
  return await Promise.all(Array.from({ length: count }, () => startHost(options)));
}

export function targetOf(host: Host): PeerTarget {
  return { peerId: host.peerId, multiaddrs: host.addresses() };
}

/** Resolves once the fact holds; it is looked at on every turn of the event loop. */
export async function until(fact: () => boolean, what: string, deadlineMs = 5_000): Promise<void> {
  const end = performance.now() + deadlineMs;
  while (!fact()) {
    if (performance.now() > end) throw new Error(`did not happen within ${deadlineMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** A raw stream to the host's protocol, from another host. */
export async function rawStream(from: Host, to: Host, protocol: string): Promise<Stream> {
  return await from.open(targetOf(to), protocol, { deadlineMs: 5_000 });
}

/** Two ends of one stream over TCP and TLS. */
export async function framePair(
  options: { readonly client?: Partial<FrameStreamOptions>; readonly server?: Partial<FrameStreamOptions> } = {},
): Promise<{ client: FrameStream; server: FrameStream; clientStream: Stream; serverStream: Stream }> {
  const [a, b] = (await startHosts(2)) as [Host, Host];
  const accepted = Promise.withResolvers<Stream>();
  await b.handle('/test/1', (stream) => accepted.resolve(stream));
  const clientStream = await rawStream(a, b, '/test/1');
  const serverStream = await accepted.promise;
  return {
    clientStream,
    serverStream,
    client: new FrameStream(clientStream, b.peerId, { maxFrameBytes: 1 << 20, ...options.client }),
    server: new FrameStream(serverStream, a.peerId, { maxFrameBytes: 1 << 20, ...options.server }),
  };
}

export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return 'no error';
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error);
  }
}

export function filled(length: number, byte = 7): Uint8Array {
  return new Uint8Array(length).fill(byte);
}
