import { describe, expect, it } from 'vitest';
import { hashFromBytes, type Hash } from '../../src/base/hash.ts';
import type { GossipRules } from '../../src/net/gossip-options.ts';
import { LedgerGossip, type Verdict } from '../../src/net/gossip.ts';
import { createHost, type Host } from '../../src/net/host.ts';
import { codeOf, filled, secret, startHost, targetOf, until } from './network.ts';

/** A message of the tests: 32 bytes of block id, then a verdict's first letter, then what differs between copies. */
function message(id: number, verdict: Verdict = 'accept', copy = 0): Uint8Array {
  const bytes = filled(100, id);
  bytes[32] = verdict.charCodeAt(0);
  bytes[33] = copy;
  return bytes;
}

const verdictOf = (bytes: Uint8Array): Verdict =>
  bytes[32] === 'a'.charCodeAt(0) ? 'accept' : bytes[32] === 'r'.charCodeAt(0) ? 'reject' : 'ignore';

const RULES: GossipRules = {
  messageId: (bytes): Hash | undefined => (bytes.length >= 33 ? hashFromBytes(bytes.subarray(0, 32)) : undefined),
  heartbeatIntervalMs: 100,
};

interface Node {
  readonly host: Host;
  readonly gossip: LedgerGossip;
  readonly received: Uint8Array[];
  readonly refused: string[];
}

async function start(chainId = 'test'): Promise<Node> {
  const host = await startHost({ gossip: RULES });
  const received: Uint8Array[] = [];
  const refused: string[] = [];
  const gossip = new LedgerGossip({
    host,
    chainId,
    validate: async (bytes) => {
      if (bytes.length < 33) throw new Error('not a message');
      return verdictOf(bytes);
    },
    onMessage: (bytes) => received.push(bytes),
    onRefused: (_bytes, _from, verdict) => refused.push(verdict),
  });
  gossip.start();
  return { host, gossip, received, refused };
}

/** A chain of nodes, in which each is connected to the next only. */
async function line(count: number): Promise<Node[]> {
  const nodes = await Promise.all(Array.from({ length: count }, () => start()));
  for (const [i, { host }] of nodes.entries()) {
    const next = nodes[i + 1];
    if (next !== undefined) await host.connect(targetOf(next.host), { deadlineMs: 5_000 });
  }
  await until(
    () => nodes.every(({ gossip }, i) => gossip.subscribers().length === (i === 0 || i === count - 1 ? 1 : 2)),
    'all are subscribed to their neighbours',
  );
  return nodes;
}

describe('gossip of blocks', () => {
  it('passes a block on to those who are not connected to its source, once each', async () => {
    const nodes = await line(3);
    const [first, , last] = nodes as [Node, Node, Node];
    await first.gossip.publish(message(1));
    await until(() => last.received.length === 1, 'the last of the line has it');
    // The same block with another seal is the same message.
    await last.gossip.publish(message(1, 'accept', 2));
    await first.gossip.publish(message(2));
    await until(() => last.received.length === 2, 'the last of the line has the second');
    expect(nodes.map(({ received }) => received.map(([id]) => id))).toEqual([[], [1, 2], [1, 2]]);
  });

  it('does not pass on what it refuses, and tells the block by its bytes', async () => {
    const nodes = await line(3);
    const [first, middle, last] = nodes as [Node, Node, Node];
    await first.gossip.publish(message(1, 'reject'));
    await first.gossip.publish(message(2, 'ignore'));
    await first.gossip.publish(filled(5));
    await first.gossip.publish(message(3));
    await until(() => last.received.length === 1, 'the good one arrives');
    expect(last.received.map(([id]) => id)).toEqual([3]);
    expect(middle.refused).toEqual(['reject', 'ignore', 'ignore']);
    expect(last.refused).toEqual([]);
  });

  it('no longer hears a peer that keeps sending what is provably false', async () => {
    const [first, middle] = (await line(2)) as [Node, Node];
    for (let id = 1; id <= 5; id++) await first.gossip.publish(message(id, 'reject'));
    await until(() => middle.refused.length === 5, 'five false messages are rejected');
    const inner = middle.host.gossip as unknown as { acceptFrom(peerId: string): boolean };
    await until(() => !inner.acceptFrom(first.host.peerId), 'its score falls below the graylist');
    await first.gossip.publish(message(9));
    await first.gossip.publish(message(10, 'reject'));
    const other = await start();
    await other.host.connect(targetOf(middle.host), { deadlineMs: 5_000 });
    await until(() => other.gossip.subscribers().length >= 1, 'another peer is there');
    await other.gossip.publish(message(20));
    await until(() => middle.received.length > 0, 'the other peer is heard');
    expect(middle.received.map(([id]) => id)).toEqual([20]);
    expect(middle.refused).toHaveLength(5);
  });

  it('publishes to nobody and twice without failing', async () => {
    const node = await start();
    expect(await node.gossip.publish(message(1))).toBe(0);
    expect(await node.gossip.publish(message(1))).toBe(0);
  });

  it('hears nothing of another chain', async () => {
    const [a, b] = [await start('test'), await start('test')];
    const host = await startHost({ gossip: RULES, chainId: 'other' });
    const other = new LedgerGossip({ host, chainId: 'other', validate: () => 'accept', onMessage: () => {} });
    other.start();
    await host.connect(targetOf(a.host), { deadlineMs: 5_000 });
    await a.host.connect(targetOf(b.host), { deadlineMs: 5_000 });
    await until(() => b.gossip.subscribers().length === 1 && a.gossip.subscribers().length === 1, 'a and b follow');
    expect(await other.publish(message(1))).toBe(0);
    await b.gossip.publish(message(2));
    await until(() => a.received.length === 1, 'the own chain is heard');
    expect(other.subscribers()).toEqual([]);
  });

  it('says so when the host was made without gossip', async () => {
    const host = await createHost({ identity: secret(), listen: [], chainId: 'x' });
    const make = async (): Promise<unknown> =>
      new LedgerGossip({ host, chainId: 'x', validate: () => 'accept', onMessage: () => {} });
    expect(await codeOf(make())).toBe('gossip-off');
    await host.stop();
  });
});
