import { beforeEach, describe, expect, test } from 'vitest';
import { toHex, utf8 } from '../../src/base/bytes.ts';
import { BlockLog, committedBlockOps, projectedOps } from '../../src/ledger/block-log.ts';
import { nodeEntryCodec, type NodeRecord } from '../../src/ledger/record.ts';
import { Replay } from '../../src/ledger/replay.ts';
import { CATALOG } from '../../src/projections/catalog.ts';
import {
  nodeData,
  peerIds,
  peerIdsHeardSince,
  peerIdsOfVersion,
  peerIdsWith,
  recordCount,
  stakedPeerIds,
} from '../../src/projections/node-data.ts';
import type { ProjectedBlock, Projection } from '../../src/projections/projection.ts';
import { Projector } from '../../src/projections/projector.ts';
import { rebuildProjections } from '../../src/projections/rebuild.ts';
import { rowKey } from '../../src/projections/row-key.ts';
import { listValidators, proposalsOf } from '../../src/projections/validators.ts';
import { NODE_KEY_PREFIX } from '../../src/ledger/state.ts';
import type { VerifiedEvent } from '../../src/ledger/verified-event.ts';
import { SealedChain } from '../ledger/chain.ts';
import { peerOf, START } from '../ledger/nodes.ts';
import { entriesOf } from '../store/contract.ts';
import { MemoryStore } from '../store/memory-store.ts';

let chain: SealedChain;
let store: MemoryStore;
let log: BlockLog;
let stopped: { name: string; error: unknown }[];

beforeEach(async () => {
  chain = new SealedChain();
  store = new MemoryStore();
  log = await BlockLog.create(store, { chainId: chain.chainId, validatorKey: null }, chain.state);
  stopped = [];
});

const open = (projections: readonly Projection[] = CATALOG) =>
  Projector.open({ store, log, projections, onStopped: (name, error) => stopped.push({ name, error }) });

async function commit(events: readonly VerifiedEvent[]): Promise<ProjectedBlock> {
  const { changes, sealed } = chain.commit(events);
  await store.batch(committedBlockOps(sealed, changes));
  return { header: sealed.block.header, events: sealed.block.events, changes };
}

async function all(ids: AsyncIterable<string>): Promise<string[]> {
  const list: string[] = [];
  for await (const id of ids) list.push(id);
  return list;
}

const sorted = (...nodes: readonly number[]) => nodes.map((node) => peerOf(node)).sort();

/** Every row of the projections, pointers and cursors too. */
async function rows(): Promise<ReadonlyMap<string, string>> {
  const range = { gte: utf8('P'), lt: utf8('Q') };
  return new Map((await entriesOf(store, range)).map(([key, value]) => [toHex(key), toHex(value)]));
}

/** Of a chain that they joined. */
function importedRecords(count: number): readonly NodeRecord[] {
  const { changes } = chain.commit(Array.from({ length: count }, (_, node) => chain.join(node)));
  return changes.flatMap(({ key, value }) => {
    if (!key.startsWith(NODE_KEY_PREFIX) || value === undefined) return [];
    const entry = nodeEntryCodec.decodeOwn(value);
    return entry.kind === 'record' ? [{ ...entry, origin: 'import' as const }] : [];
  });
}

const left = (node: number, seq: number) => chain.event({ type: 'left', peerId: peerOf(node), seq });
const versionChanged = (node: number, seq: number, version: string) =>
  chain.event({ type: 'versionChanged', peerId: peerOf(node), seq, version });

async function someHistory(): Promise<ProjectedBlock[]> {
  const blocks = [await commit([chain.join(1, { isTwitterScraper: true }), chain.join(2, { isWebScraper: true })])];
  chain.now += 100;
  blocks.push(
    await commit([chain.join(3, { isTwitterScraper: true, isWebScraper: true }), versionChanged(1, 2, 'v9')]),
  );
  chain.now += 100;
  blocks.push(await commit([left(2, 2)]));
  return blocks;
}

describe('node-data', () => {
  test('finds nodes by capability, version, stake and when they were last heard of', async () => {
    const projector = await open();
    projector.offer(await someHistory());
    await projector.caughtUp();
    const reader = projector.reader('node-data');
    expect(recordCount(reader)).toBe(3);
    expect(await all(peerIds(reader))).toEqual(sorted(1, 2, 3));
    expect(await all(peerIdsWith(reader, 'isTwitterScraper'))).toEqual(sorted(1, 3));
    expect(await all(peerIdsWith(reader, 'isWebScraper'))).toEqual(sorted(2, 3));
    expect(await all(peerIdsWith(reader, 'isDiscordScraper'))).toEqual([]);
    expect(await all(peerIdsOfVersion(reader, 'v9'))).toEqual(sorted(1));
    expect(await all(peerIdsOfVersion(reader, 'v0.8.4'))).toEqual(sorted(2, 3));
    expect(await all(peerIdsOfVersion(reader, 'v'))).toEqual([]);
    expect(await all(stakedPeerIds(reader))).toEqual([]);
    expect((await all(peerIdsHeardSince(reader, START))).sort()).toEqual(sorted(1, 3));
    expect(await all(peerIdsHeardSince(reader, START + 101))).toEqual([]);
  });

  test('pages through peer ids in their order', async () => {
    const projector = await open();
    projector.offer([await commit(Array.from({ length: 10 }, (_, node) => chain.join(node)))]);
    await projector.caughtUp();
    const reader = projector.reader('node-data');
    const expected = sorted(0, 1, 2, 3, 4, 5, 6, 7, 8, 9);
    const first = await all(peerIds(reader, { limit: 4 }));
    const second = await all(peerIds(reader, { limit: 4, after: first.at(-1) as string }));
    const third = await all(peerIds(reader, { limit: 4, after: second.at(-1) as string }));
    expect([...first, ...second, ...third]).toEqual(expected);
  });
});

describe('validators', () => {
  test('lists who they are with their addresses, and what each has proposed', async () => {
    const projector = await open();
    projector.offer(await someHistory());
    await projector.caughtUp();
    const reader = projector.reader('validators');
    const members = await listValidators(reader);
    expect(members.map(({ peerId }) => peerId)).toEqual(chain.validators.members.map(({ peerId }) => peerId));
    expect(members[0]?.multiaddrs).toHaveLength(1);
    const proposer = chain.sealedAt(2).block.header.proposer;
    expect(proposalsOf(reader, proposer)).toEqual({ blocks: 1, events: 2, height: 2 });
    expect(proposalsOf(reader, 'nobody')).toEqual({ blocks: 0, events: 0, height: 0 });
  });
});

describe('the projector', () => {
  test('writes the same rows whether blocks were offered as they came, or read from the log later', async () => {
    const live = await open();
    for (const block of await someHistory()) {
      live.offer([block]);
      await live.caughtUp();
    }
    const asTheyCame = await rows();
    store = new MemoryStore();
    chain = new SealedChain();
    log = await BlockLog.create(store, { chainId: chain.chainId, validatorKey: null }, chain.state);
    await someHistory();
    const late = await open();
    await late.caughtUp();
    expect(await rows()).toEqual(asTheyCame);
    expect(late.status()).toEqual(CATALOG.map(({ name }) => ({ name, height: 3, state: 'following' })));
  });

  test('goes on from its cursor after a restart, and the log forgets changes that all have seen', async () => {
    const first = await open();
    await someHistory();
    await first.caughtUp();
    expect(log.changesAt(0)).toBeUndefined();
    expect(log.changesAt(3)).toBeUndefined();
    await first.close();
    await commit([chain.join(7)]);
    expect(log.changesAt(4)).toBeDefined();
    const second = await open();
    expect(second.status()[0]).toEqual({ name: 'node-data', height: 3, state: 'following' });
    await second.caughtUp();
    expect(recordCount(second.reader('node-data'))).toBe(4);
    expect(log.changesAt(4)).toBeUndefined();
  });

  test('stops a projection that throws, and the others go on', async () => {
    const broken: Projection = {
      name: 'broken',
      version: 1,
      apply({ header }) {
        if (header.height === 2) throw new TypeError('a bug');
        return [];
      },
    };
    const projector = await open([broken, nodeData]);
    await someHistory();
    await projector.caughtUp();
    expect(stopped).toMatchObject([{ name: 'broken', error: new TypeError('a bug') }]);
    expect(projector.status()).toEqual([
      { name: 'broken', height: 1, state: 'stopped' },
      { name: 'node-data', height: 3, state: 'following' },
    ]);
    expect((await open([broken, nodeData])).status()[0]).toMatchObject({ name: 'broken', state: 'stale' });
  });

  test('stops all of them, and says so, when the store refuses to write', async () => {
    const projector = await open();
    await someHistory();
    store.batch = () => Promise.reject(new Error('no space'));
    await projector.caughtUp();
    expect(stopped.map(({ name }) => name)).toEqual(CATALOG.map(({ name }) => name));
  });

  test('begins a large genesis anew where a process ended with some of its rows written', async () => {
    // What those of the catalog have counted is told by their rows; this one would count it twice.
    const counting: Projection = {
      name: 'counting',
      version: 1,
      apply: ({ changes }, view) => {
        const before = view.get(rowKey('n'))?.length ?? 0;
        return [{ kind: 'put', key: rowKey('n'), value: new Uint8Array(before + changes.length) }];
      },
    };
    const projections = [...CATALOG, counting];
    const records = importedRecords(250);
    const large = new SealedChain({ records });
    const begun = async (batches: number): Promise<number> => {
      store = new MemoryStore();
      log = await BlockLog.create(store, { chainId: large.chainId, validatorKey: null }, large.state);
      stopped = [];
      const whole = store.batch.bind(store);
      let made = 0;
      store.batch = (...batch) => (made++ < batches ? whole(...batch) : Promise.reject(new Error('the process ended')));
      const projector = await open(projections).catch(() => null);
      await projector?.caughtUp();
      await projector?.close();
      store.batch = whole;
      return made;
    };
    const all = await begun(Infinity);
    expect(stopped).toEqual([]);
    const whole = await rows();
    const lengths = new Set<number>();
    for (let batches = projections.length; batches < all; batches++) {
      await begun(batches);
      const left = await rows();
      lengths.add(left.size);
      stopped = [];
      const projector = await open(projections);
      await projector.caughtUp();
      expect(projector.status().map(({ height }) => height)).toEqual(projections.map(() => 0));
      await projector.close();
      expect(stopped).toEqual([]);
      expect(await rows()).toEqual(whole);
      const cursorless = [...left].filter(([key]) => !key.startsWith(toHex(utf8('P@'))));
      expect(cursorless.length).toBeLessThan(whole.size - projections.length);
    }
    // None of the three parts, one, two, and all without what makes them count.
    expect(lengths.size).toBeGreaterThanOrEqual(4);
  });

  test('stops when the log no longer knows what a block changed', async () => {
    const projector = await open();
    await someHistory();
    await store.batch(projectedOps(2));
    await projector.caughtUp();
    expect(stopped).toMatchObject(CATALOG.map(({ name }) => ({ name, error: { code: 'changes-not-kept' } })));
  });

  test('serves the old rows of a projection whose version grew, as stale', async () => {
    const projector = await open();
    await someHistory();
    await projector.caughtUp();
    const newer = await open([{ ...nodeData, version: nodeData.version + 1 }]);
    expect(newer.status()).toEqual([{ name: 'node-data', height: 3, state: 'stale' }]);
    expect(recordCount(newer.reader('node-data'))).toBe(3);
  });
});

describe('rebuilding from the log', () => {
  const replay = () => new Replay({ genesis: chain.state, validatorsOf: () => chain.validators });
  const rebuild = (projections: readonly Projection[] = CATALOG) =>
    rebuildProjections({ store, log, replay: replay(), projections });

  test('gives the rows that grew with the log, byte for byte', async () => {
    const projector = await open();
    await someHistory();
    await projector.caughtUp();
    const results = await rebuild();
    expect(results).toMatchObject(CATALOG.map(({ name }) => ({ name, before: 'equal', firstDifference: null })));
    expect(results.every(({ rows: count }) => count > 0)).toBe(true);
    const again = await open();
    expect(recordCount(again.reader('node-data'))).toBe(3);
    expect(again.status()).toEqual(CATALOG.map(({ name }) => ({ name, height: 3, state: 'following' })));
    expect(await rebuild()).toMatchObject(CATALOG.map(() => ({ before: 'equal' })));
  });

  test('finds a row that was changed, added or lost, and replaces the rows', async () => {
    const projector = await open();
    await someHistory();
    await projector.caughtUp();
    const victims = [...(await rows())].filter(([key]) => key.startsWith(toHex(utf8('P:node-data'))));
    const [key] = victims.at(-1) as [string, string];
    const rowKey = Uint8Array.from(Buffer.from(key, 'hex'));
    const damages = [
      () => store.batch([{ kind: 'delete', key: rowKey }]),
      () => store.batch([{ kind: 'put', key: rowKey, value: utf8('changed') }]),
      () => store.batch([{ kind: 'put', key: Uint8Array.of(...rowKey, 1), value: utf8('added') }]),
    ];
    for (const damage of damages) {
      await damage();
      expect(await rebuild([nodeData])).toMatchObject([{ before: 'different' }]);
      expect(await rebuild([nodeData])).toMatchObject([{ before: 'equal' }]);
      // The rows lie in the next generation now.
      rowKey.set(
        Buffer.from(
          [...(await rows()).keys()].filter((k) => k.startsWith(toHex(utf8('P:node-data')))).at(-1) as string,
          'hex',
        ),
      );
    }
  });

  test('makes a stale projection follow again, with only its new rows left', async () => {
    const projector = await open();
    await someHistory();
    await projector.caughtUp();
    const newer: Projection = { ...nodeData, version: nodeData.version + 1 };
    expect(await rebuild([newer])).toMatchObject([{ name: 'node-data', before: 'none' }]);
    const followed = await open([newer]);
    expect(followed.status()).toEqual([{ name: 'node-data', height: 3, state: 'following' }]);
    await commit([chain.join(8)]);
    await followed.caughtUp();
    expect(recordCount(followed.reader('node-data'))).toBe(4);
    const cursors = [...(await rows()).keys()].filter((key) => key.startsWith(toHex(utf8('P#node-data'))));
    expect(cursors).toHaveLength(1);
  });

  test('ends with the refusal of a log that does not replay, and no pointer moves', async () => {
    const projector = await open();
    await someHistory();
    await projector.caughtUp();
    const before = await rows();
    const { block, seal } = chain.sealedAt(2);
    const gone = committedBlockOps({ block: { ...block, events: [] }, seal }, []);
    await store.batch(gone.slice(0, 1));
    await expect(rebuild()).rejects.toMatchObject({ code: 'store-corrupt' });
    for (const [key, value] of before) expect((await rows()).get(key)).toBe(value);
  });
});
