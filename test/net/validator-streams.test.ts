import { afterEach, describe, expect, it } from 'vitest';
import { FrameStream } from '../../src/net/frames.ts';
import type { Host } from '../../src/net/host.ts';
import { CONSENSUS_PROTOCOL, ValidatorStreams, type ValidatorAddress } from '../../src/net/validator-streams.ts';
import { filled, rawStream, secret, startHost, startHosts, until } from './network.ts';

interface Node {
  readonly host: Host;
  readonly streams: ValidatorStreams;
  readonly received: { readonly from: string; readonly frame: Uint8Array }[];
  /** `+peer` and `-peer`, in their order. */
  readonly changes: string[];
  readonly refusals: string[];
}

const running: ValidatorStreams[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((streams) => streams.stop()));
});

const addressOf = (host: Host): ValidatorAddress => ({ peerId: host.peerId, multiaddrs: () => host.addresses() });

function join(host: Host, validators: readonly Host[], onFrame?: (frame: Uint8Array) => Promise<void>): Node {
  const node: Omit<Node, 'streams'> = { host, received: [], changes: [], refusals: [] };
  const streams = new ValidatorStreams({
    host,
    validators: validators.map(addressOf),
    onFrame: (from, frame) => {
      node.received.push({ from, frame });
      return onFrame?.(frame);
    },
    onConnected: (peerId) => node.changes.push(`+${peerId}`),
    onDisconnected: (peerId) => node.changes.push(`-${peerId}`),
    onRefused: (_peerId, { code }) => node.refusals.push(code),
  });
  running.push(streams);
  return { ...node, streams };
}

/** Hosts in the order of their peer ids: each opens the streams to those after it. */
async function hostsInOrder(count: number): Promise<Host[]> {
  return (await startHosts(count)).sort((a, b) => (a.peerId < b.peerId ? -1 : 1));
}

async function network(count: number): Promise<Node[]> {
  const hosts = await hostsInOrder(count);
  const nodes = hosts.map((host) => join(host, hosts));
  await Promise.all(nodes.map(({ streams }) => streams.start()));
  await until(() => nodes.every(({ streams }) => streams.connected().length === count - 1), 'all are connected');
  return nodes;
}

describe('validator streams', () => {
  it('connect every two validators by one stream and carry frames both ways', async () => {
    const nodes = await network(4);
    for (const [i, { streams }] of nodes.entries()) {
      for (const { host } of nodes) streams.send(host.peerId, filled(1024, i), 'consensus');
    }
    await until(() => nodes.every(({ received }) => received.length === 3), 'all frames arrive');
    for (const [i, { received, host }] of nodes.entries()) {
      expect(received.map(({ from }) => from).sort()).toEqual(
        nodes.map((node) => node.host.peerId).filter((peerId) => peerId !== host.peerId),
      );
      expect(new Set(received.map(({ frame }) => frame[0]))).toEqual(new Set([0, 1, 2, 3].filter((j) => j !== i)));
    }
    expect(nodes.flatMap(({ changes }) => changes).filter((change) => change.startsWith('-'))).toEqual([]);
  });

  it('keeps the order of frames, large and small, under a load that fills the stream', async () => {
    const [a, b] = (await network(2)) as [Node, Node];
    for (let i = 0; i < 200; i++) a.streams.send(b.host.peerId, filled(i % 10 === 0 ? 30_000 : 20, i), 'consensus');
    await until(() => b.received.length === 200, 'all frames arrive');
    expect(b.received.map(({ frame }) => frame[0])).toEqual(Array.from({ length: 200 }, (_, i) => i));
    expect(b.received.map(({ frame }) => frame.length)).toEqual(
      Array.from({ length: 200 }, (_, i) => (i % 10 === 0 ? 30_000 : 20)),
    );
  });

  it('bounds what waits for a slow peer, and lets a new vote pass old bulk', async () => {
    const [a, b] = (await hostsInOrder(2)) as [Host, Host];
    const gate = Promise.withResolvers<void>();
    const slow = join(b, [a, b], () => gate.promise);
    const fast = join(a, [a, b]);
    await Promise.all([slow.streams.start(), fast.streams.start()]);
    await until(() => fast.streams.connected().length === 1, 'they are connected');
    let dropped = 0;
    for (let i = 0; i < 100; i++) if (!fast.streams.send(b.peerId, filled(1 << 20, 1), 'bulk')) dropped++;
    await until(() => slow.received.length === 1, 'the first bulk frame arrives');
    for (let i = 0; i < 100; i++) if (!fast.streams.send(b.peerId, filled(1 << 20, 1), 'bulk')) dropped++;
    expect(fast.streams.send(b.peerId, filled(100, 2), 'consensus')).toBe(true);
    expect(dropped).toBeGreaterThan(100);
    const [status] = fast.streams.status();
    expect(status?.droppedFrames).toEqual({ consensus: 0, events: 0, bulk: dropped });
    expect(status?.queuedBytes).toBeLessThan(9 << 20);
    gate.resolve();
    await until(() => slow.received.length === 200 - dropped + 1, 'what was not dropped arrives');
    const position = slow.received.findIndex(({ frame }) => frame[0] === 2);
    expect(position).toBeLessThan(slow.received.length - 2);
  });

  it('keeps consensus frames for a validator that is not connected yet', async () => {
    const hosts = (await hostsInOrder(2)) as [Host, Host];
    const [a, b] = hosts.map((host) => join(host, hosts)) as [Node, Node];
    expect(a.streams.send(b.host.peerId, filled(1, 1), 'consensus')).toBe(true);
    expect(a.streams.send(b.host.peerId, filled(1, 2), 'events')).toBe(false);
    await Promise.all([a.streams.start(), b.streams.start()]);
    await until(() => b.received.length === 1, 'the frame arrives');
    expect(b.received[0]?.frame).toEqual(filled(1, 1));
  });

  it('finds a validator again after it was stopped and started at another address', async () => {
    const keys = [secret(901), secret(902)];
    const [a, b] = (await Promise.all(keys.map((identity) => startHost({ identity })))).sort((x, y) =>
      x.peerId < y.peerId ? -1 : 1,
    ) as [Host, Host];
    const nodeA = join(a, [a, b]);
    const nodeB = join(b, [a, b]);
    await Promise.all([nodeA.streams.start(), nodeB.streams.start()]);
    await until(() => nodeA.streams.connected().length === 1, 'they are connected');
    await b.stop();
    await until(() => nodeA.changes.length === 2, 'the loss is seen');
    const again = (await Promise.all(keys.map((identity) => startHost({ identity })))).find(
      ({ peerId }) => peerId === b.peerId,
    ) as Host;
    // The one that came back knows the other's address, and the other only its old one: it offers a connection.
    const back = join(again, [a, again]);
    await back.streams.start();
    await until(() => nodeA.changes.length === 3 && back.streams.connected().length === 1, 'they are connected again');
    expect(nodeA.changes).toEqual([`+${b.peerId}`, `-${b.peerId}`, `+${b.peerId}`]);
    nodeA.streams.send(b.peerId, filled(3), 'consensus');
    await until(() => back.received.length === 1, 'frames flow again');
  });

  it('refuses a peer that is not a validator', async () => {
    const [node] = (await network(2)) as [Node, Node];
    const outsider = await startHost();
    const stream = new FrameStream(await rawStream(outsider, node.host, CONSENSUS_PROTOCOL), '', { maxFrameBytes: 10 });
    expect((await stream.closed)?.code).toBe('stream-closed');
    expect(node.refusals).toEqual(['not-a-validator']);
    expect(node.received).toEqual([]);
  });

  it('refuses a stream from the validator that is not to open it, and one right after another', async () => {
    const [a, b] = (await network(2)) as [Node, Node];
    await rawStream(b.host, a.host, CONSENSUS_PROTOCOL);
    await until(() => a.refusals.length === 1, 'the wrong direction is refused');
    await rawStream(a.host, b.host, CONSENSUS_PROTOCOL);
    await until(() => b.refusals.length === 1, 'the second stream is refused');
    expect([...a.refusals, ...b.refusals]).toEqual(['stream-direction', 'stream-too-soon']);
    a.streams.send(b.host.peerId, filled(3), 'consensus');
    await until(() => b.received.length === 1, 'the first stream still works');
  });

  it('takes a later stream of a validator in place of the one before, which may be dead', async () => {
    const [a, b] = (await network(2)) as [Node, Node];
    const since = performance.now();
    await until(() => performance.now() - since > 250, 'the first stream is not of a moment ago');
    const second = new FrameStream(await rawStream(a.host, b.host, CONSENSUS_PROTOCOL), '', { maxFrameBytes: 100 });
    await until(() => b.refusals.length === 1, 'the first stream is replaced');
    expect(b.refusals).toEqual(['stream-replaced']);
    expect(b.changes).toEqual([`+${a.host.peerId}`, `-${a.host.peerId}`, `+${a.host.peerId}`]);
    b.streams.send(a.host.peerId, filled(9), 'consensus');
    expect(await second.next()).toEqual(filled(9));
  });

  it('drops a validator that sends a frame that is too large, and takes it back', async () => {
    const [a, b] = (await network(2)) as [Node, Node];
    a.streams.send(b.host.peerId, filled((4 << 20) + 1), 'consensus');
    await until(() => b.refusals.length === 1, 'the frame is refused');
    expect(b.refusals).toEqual(['frame-too-large']);
    await until(() => b.changes.length === 3 && a.streams.connected().length === 1, 'they are connected again');
    expect(b.received).toEqual([]);
  });

  it('close the streams to validators that left the set', async () => {
    const nodes = await network(3);
    const [a, b, c] = nodes as [Node, Node, Node];
    for (const { streams } of nodes) streams.setValidators([a.host, b.host].map(addressOf));
    await until(() => c.streams.connected().length === 0, 'the one that left is alone');
    expect(a.streams.connected()).toEqual([b.host.peerId]);
    expect(a.streams.send(c.host.peerId, filled(1), 'consensus')).toBe(false);
  });
});
