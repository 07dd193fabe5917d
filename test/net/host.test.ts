import { generateKeyPair, privateKeyToProtobuf } from '@libp2p/crypto/keys';
import { describe, expect, it } from 'vitest';
import { Random } from '../../src/base/random.ts';
import { createHost, type Host } from '../../src/net/host.ts';
import { generateIdentityKey } from '../../src/node/keys.ts';
import { codeOf, LOOPBACK, secret, startHost, startHosts, targetOf, until } from './network.ts';

const OPEN = { deadlineMs: 5_000 };

describe('host', () => {
  it('connects by TLS with the peer that the address names, and no other', async () => {
    const [a, b, c] = (await startHosts(3)) as [Host, Host, Host];
    await a.connect(targetOf(b), OPEN);
    expect(a.connections()).toMatchObject([{ peerId: b.peerId, direction: 'outbound', encryption: '/tls/1.0.0' }]);
    await until(() => b.isConnected(a.peerId), 'the other side sees it');
    const bare = b.addresses().map((address) => address.replace(/\/p2p\/.*/, ''));
    expect(await codeOf(a.connect({ peerId: c.peerId, multiaddrs: bare }, OPEN))).toBe('wrong-peer');
    expect(await codeOf(a.connect({ peerId: c.peerId, multiaddrs: b.addresses() }, OPEN))).toBe('wrong-peer');
    expect(await codeOf(a.connect({ peerId: 'nobody', multiaddrs: bare }, OPEN))).toBe('address-invalid');
    expect(await codeOf(a.connect({ peerId: c.peerId, multiaddrs: ['x'] }, OPEN))).toBe('address-invalid');
  });

  it('takes ed25519 and secp256k1 keys as the protobuf of the older system, and no others', async () => {
    for (const keyType of ['ed25519', 'secp256k1'] as const) {
      const key = generateIdentityKey(keyType);
      const host = await startHost({ identity: key.protobuf });
      expect(host.peerId).toBe(key.peerId);
      expect(key.peerId).toMatch(keyType === 'ed25519' ? /^12D3KooW/ : /^16Uiu2HA/);
    }
    const ecdsa = privateKeyToProtobuf(await generateKeyPair('ECDSA'));
    for (const identity of [new Random(1).bytes(31), ecdsa]) {
      expect(await codeOf(startHost({ identity }))).toBe('identity-key-invalid');
    }
  });

  it('connects hosts of different key types', async () => {
    const a = await startHost({ identity: secret(5, 'secp256k1') });
    const b = await startHost();
    await a.connect(targetOf(b), OPEN);
    await until(() => b.isConnected(a.peerId), 'they are connected');
  });

  it('asks who may connect, both ways', async () => {
    const asked: string[] = [];
    const closed = await startHost({ admit: (peerId, direction) => asked.push(`${direction} ${peerId}`) < 0 });
    const other = await startHost();
    await codeOf(other.connect(targetOf(closed), OPEN));
    await until(() => !other.isConnected(closed.peerId), 'the connection is closed again');
    expect(await codeOf(closed.connect(targetOf(other), OPEN))).toBe('dial-failed');
    expect(asked).toEqual([`inbound ${other.peerId}`, `outbound ${other.peerId}`]);
    expect(closed.connections()).toEqual([]);
  });

  it('bounds the connections of one peer', async () => {
    const server = await startHost({ limits: { maxConnectionsPerPeer: 2 } });
    const identity = secret(4242);
    const clones = await Promise.all([1, 2, 3, 4].map(() => startHost({ identity, listen: [] })));
    await Promise.allSettled(clones.map((clone) => clone.connect(targetOf(server), OPEN)));
    await until(() => clones.filter((clone) => clone.connections().length > 0).length === 2, 'two are left');
    expect(server.connections()).toHaveLength(2);
    await clones.find((clone) => clone.connections().length > 0)?.stop();
    await until(() => server.connections().length === 1, 'one has gone');
    const another = await startHost({ identity, listen: [] });
    await another.connect(targetOf(server), OPEN);
    await until(() => server.connections().length === 2, 'its place is free again');
  });

  it('bounds the streams of one connection, whatever their protocol', async () => {
    const server = await startHost({ limits: { maxStreamsPerConnection: 20 } });
    await server.handle('/silent/1', () => {});
    const client = await startHost();
    const opened = await Promise.allSettled(
      Array.from({ length: 100 }, () => client.open(targetOf(server), '/silent/1', OPEN)),
    );
    expect(opened.filter(({ status }) => status === 'fulfilled').length).toBeLessThanOrEqual(20);
    // Beside those that the server opens itself, for identify and ping.
    expect(server.connections()[0]?.streams).toBeLessThanOrEqual(23);
    const other = await startHost();
    await other.open(targetOf(server), '/silent/1', OPEN);
  });

  it('tells by code why a protocol cannot be opened', async () => {
    const [a, b] = (await startHosts(2)) as [Host, Host];
    expect(await codeOf(a.open(targetOf(b), '/unknown/1', OPEN))).toBe('protocol-unsupported');
    expect(await codeOf(a.open({ peerId: b.peerId, multiaddrs: [] }, '/unknown/1', OPEN))).toBe('protocol-unsupported');
    const stranger = await startHost({ listen: [] });
    expect(await codeOf(a.connect({ peerId: stranger.peerId }, OPEN))).toBe('dial-failed');
  });

  it('fails by code when it cannot listen', async () => {
    const first = await startHost();
    const taken = first.addresses()[0]?.replace(/\/p2p\/.*/, '') as string;
    expect(await codeOf(createHost({ identity: secret(), listen: [taken], chainId: 'x' }))).toBe('listen-failed');
    expect(await codeOf(createHost({ identity: secret(), listen: ['nonsense'], chainId: 'x' }))).toBe('listen-failed');
  });

  it('announces the addresses that it is told to', async () => {
    const host = await startHost({ announce: ['/ip4/203.0.113.7/tcp/4001'] });
    expect(host.addresses()).toEqual([`/ip4/203.0.113.7/tcp/4001/p2p/${host.peerId}`]);
    expect(LOOPBACK).toContain('tcp/0');
  });

  it('tells when the first connection with a peer comes and the last goes', async () => {
    const [a, b] = (await startHosts(2)) as [Host, Host];
    const seen: string[] = [];
    const unlisten = a.onPeer((peerId, state) => seen.push(`${state} ${peerId}`));
    await b.connect(targetOf(a), OPEN);
    await until(() => seen.length === 1, 'it is told');
    await a.disconnect(b.peerId);
    await until(() => seen.length === 2, 'it is told');
    unlisten();
    await b.connect(targetOf(a), OPEN);
    await until(() => a.isConnected(b.peerId), 'they are connected again');
    expect(seen).toEqual([`connected ${b.peerId}`, `disconnected ${b.peerId}`]);
  });

  it('stops at once, with streams open', async () => {
    const [a, b] = (await startHosts(2)) as [Host, Host];
    await b.handle('/silent/1', () => {});
    await a.open(targetOf(b), '/silent/1', OPEN);
    const started = performance.now();
    await a.stop();
    expect(performance.now() - started).toBeLessThan(1_000);
    await until(() => !b.isConnected(a.peerId), 'the other side sees it');
  });
});
