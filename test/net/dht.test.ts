import { describe, expect, it } from 'vitest';
import { utf8 } from '../../src/base/bytes.ts';
import { refuse } from '../../src/base/result.ts';
import { DhtRecords } from '../../src/net/dht.ts';
import type { Host } from '../../src/net/host.ts';
import { recordRules, type HeightMemory, type RecordCheck, type RecordKey } from '../../src/net/record-rules.ts';
import { codeOf, startHost, targetOf, until } from './network.ts';

const PEER = '12D3KooWGzxzKZYveHXtpG6AsrUJBcWxHBFS2HsEoGTxrMLvKXtf';
const KEY: RecordKey = { kind: 'node', peerId: PEER };
const PUT = { deadlineMs: 5_000 };

/** Values of the tests: the key's text, a height, and what differs between values of one height. */
const value = (height: number, copy = '', of = `/db/${PEER}`): Uint8Array => utf8(`${of} ${height} ${copy}`);

const check: RecordCheck = (key, bytes) => {
  const [of, height] = Buffer.from(bytes).toString().split(' ');
  const wanted = key.kind === 'node' ? `/db/${key.peerId}` : '/masa/validators';
  return of === wanted ? { ok: true, value: Number(height) } : refuse('proof-invalid', 'another key');
};

function memory(): HeightMemory & { readonly heights: Map<string, number> } {
  const heights = new Map<string, number>();
  return {
    heights,
    get: (key) => heights.get(key),
    put: async (key, height) => void heights.set(key, Math.max(height, heights.get(key) ?? 0)),
  };
}

interface Node {
  readonly host: Host;
  readonly records: DhtRecords;
  readonly heights: Map<string, number>;
  readonly refusals: string[];
}

async function start(mode: 'server' | 'client' = 'server'): Promise<Node> {
  const store = memory();
  const refusals: string[] = [];
  const records = recordRules({ check, heights: store, onRefused: (_key, { code }) => refusals.push(code) });
  const host = await startHost({ dht: { mode, records } });
  return { host, records: new DhtRecords(host, check), heights: store.heights, refusals };
}

/** A client that believes everything. */
async function careless(): Promise<Pick<Node, 'host' | 'records'>> {
  const believe: RecordCheck = () => ({ ok: true, value: 1 });
  const records = { ...recordRules({ check: believe, heights: memory() }) };
  const host = await startHost({ dht: { mode: 'client', records: { ...records, admit: async () => {} } } });
  return { host, records: new DhtRecords(host, believe) };
}

/** Servers that all know the first, and through it each other. */
async function network(count: number): Promise<Node[]> {
  const nodes = await Promise.all(Array.from({ length: count }, () => start()));
  for (const [i, { host }] of nodes.entries()) {
    for (const other of nodes.slice(i + 1)) await host.connect(targetOf(other.host), { deadlineMs: 5_000 });
  }
  await until(() => nodes.every(({ host }) => host.dhtPeers() === count - 1), 'all know each other');
  return nodes;
}

describe('DHT records', () => {
  it('stores a record at the peers that are close and finds it from another', async () => {
    const nodes = await network(4);
    const [writer, , , reader] = nodes as [Node, Node, Node, Node];
    expect(await writer.records.put(KEY, value(5), PUT)).toEqual({ stored: 3, failed: 0, reason: null });
    expect(await reader.records.get(KEY, PUT)).toMatchObject({ value: value(5), height: 5 });
    const validators = value(2, '', '/masa/validators');
    await writer.records.put({ kind: 'validators' }, validators, PUT);
    expect(await reader.records.get({ kind: 'validators' }, PUT)).toMatchObject({ value: validators, height: 2 });
  });

  it('is read by a client that serves nothing itself', async () => {
    const [writer] = (await network(3)) as [Node];
    await writer.records.put(KEY, value(5), PUT);
    const client = await start('client');
    await client.host.connect(targetOf(writer.host), { deadlineMs: 5_000 });
    expect(await client.records.get(KEY, { ...PUT, enough: 1 })).toMatchObject({ height: 5 });
  });

  it('refuses a record that is older than one it has seen, durably', async () => {
    const nodes = await network(3);
    const [writer, second, third] = nodes as [Node, Node, Node];
    await writer.records.put(KEY, value(9), PUT);
    expect(nodes.map(({ heights }) => heights.get(`/db/${PEER}`))).toEqual([9, 9, 9]);
    expect(await codeOf(second.records.put(KEY, value(8), PUT))).toBe('record-stale');
    // One that has forgotten, or does not care, gets it past itself and past no other.
    second.heights.clear();
    const outcome = await second.records.put(KEY, value(8), PUT);
    expect(outcome).toMatchObject({ stored: 0, failed: 2 });
    expect(third.refusals).toEqual(['record-stale']);
    expect(await third.records.get(KEY, PUT)).toMatchObject({ height: 9 });
    expect(await second.records.get(KEY, PUT)).toMatchObject({ height: 9 });
  });

  it('takes the greatest height among several answers', async () => {
    const nodes = await network(3);
    const [a, b, c] = nodes as [Node, Node, Node];
    await a.records.put(KEY, value(3), PUT);
    // Only b hears of the newer one.
    c.heights.set(`/db/${PEER}`, 100);
    await a.records.put(KEY, value(7), PUT);
    c.heights.set(`/db/${PEER}`, 3);
    expect(await c.records.get(KEY, PUT)).toMatchObject({ value: value(7), height: 7 });
    expect(b.heights.get(`/db/${PEER}`)).toBe(7);
  });

  it('refuses false values before they leave, and at every peer', async () => {
    const nodes = await network(2);
    const [liar, honest] = nodes as [Node, Node];
    expect(await codeOf(liar.records.put(KEY, utf8('nonsense'), PUT))).toBe('proof-invalid');
    const dishonest = await careless();
    await dishonest.host.connect(targetOf(honest.host), { deadlineMs: 5_000 });
    expect(await dishonest.records.put(KEY, utf8('nonsense'), PUT)).toMatchObject({ stored: 0 });
    expect(await dishonest.records.put({ kind: 'node', peerId: '../x' }, utf8('x'), PUT)).toMatchObject({ stored: 0 });
    expect(await dishonest.records.put(KEY, new Uint8Array((1 << 20) + 1), PUT)).toMatchObject({ stored: 0 });
    expect(honest.refusals.slice(0, 2)).toEqual(['proof-invalid', 'record-key-unknown']);
    expect(await honest.records.get(KEY, { deadlineMs: 1_000 })).toBeUndefined();
  });

  it('finds nothing, in time, where nobody answers', async () => {
    const alone = await start();
    expect(await alone.records.get(KEY, { deadlineMs: 100 })).toBeUndefined();
    expect(await alone.records.put(KEY, value(1), { deadlineMs: 100 })).toMatchObject({ stored: 0 });
  });
});

describe('a host without the DHT', () => {
  it('says so', async () => {
    const host = await startHost({});
    const make = async (): Promise<unknown> => new DhtRecords(host, check);
    expect(await codeOf(make())).toBe('dht-off');
  });
});

describe('record rules', () => {
  it('does not let an older value pass while a newer one is being remembered', async () => {
    const gates: (() => void)[] = [];
    const store = memory();
    const slow: HeightMemory = {
      get: (key) => store.get(key),
      put: (key, height) => new Promise((resolve) => gates.push(() => resolve(store.put(key, height)))),
    };
    const { validators } = recordRules({ check, heights: slow });
    const validate = validators['db'] as (key: Uint8Array, bytes: Uint8Array) => Promise<void>;
    const key = utf8(`/db/${PEER}`);
    const older = codeOf(validate(key, value(4)));
    await until(() => gates.length === 1, 'the older one is being remembered');
    const newer = codeOf(validate(key, value(5)));
    await until(() => gates.length === 2, 'the newer one is being remembered');
    const oldest = codeOf(validate(key, value(3)));
    expect(await oldest).toBe('record-stale');
    for (const open of gates.reverse()) open();
    expect([await older, await newer]).toEqual(['record-stale', 'no error']);
  });

  it('selects the greatest height that proves itself', async () => {
    const { selectors } = recordRules({ check, heights: memory() });
    const select = selectors['db'] as (key: Uint8Array, values: Uint8Array[]) => Promise<number>;
    const values = [value(3), utf8('nonsense 9'), value(8), value(8, 'later'), value(1)];
    expect(await select(utf8(`/db/${PEER}`), values)).toBe(2);
  });
});
