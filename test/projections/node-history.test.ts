import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { toHex, utf8 } from '../../src/base/bytes.ts';
import { replacedDigest } from '../../src/ledger/actions.ts';
import { BlockLog, committedBlockOps } from '../../src/ledger/block-log.ts';
import type { QuorumAction } from '../../src/ledger/event-schema.ts';
import { nodeEntryCodec } from '../../src/ledger/record.ts';
import { Replay } from '../../src/ledger/replay.ts';
import { NODE_KEY_PREFIX } from '../../src/ledger/state.ts';
import type { VerifiedEvent } from '../../src/ledger/verified-event.ts';
import { unwrap } from '../../src/base/result.ts';
import { buildRows } from '../../src/projections/build.ts';
import { CATALOG } from '../../src/projections/catalog.ts';
import type { HistoryEntry, HistoryPosition } from '../../src/projections/history-entry.ts';
import { historyOf } from '../../src/projections/node-history.ts';
import { CAPABILITIES } from '../../src/projections/node-data.ts';
import type { ProjectionReader } from '../../src/projections/projection.ts';
import { Projector } from '../../src/projections/projector.ts';
import { rebuildProjections } from '../../src/projections/rebuild.ts';
import { Rows, rowWriter } from '../../src/projections/rows.ts';
import { daysOf, epochsOf, totalsOf, versionsOf } from '../../src/projections/statistics.ts';
import { SealedChain } from '../ledger/chain.ts';
import { NO_CAPABILITIES, peerOf, START } from '../ledger/nodes.ts';
import { RandomChain, RANDOM_NODES, randomBlocks } from '../ledger/random-chain.ts';
import { entriesOf } from '../store/contract.ts';
import { MemoryStore } from '../store/memory-store.ts';

class Projected {
  readonly chain: SealedChain;
  readonly store = new MemoryStore();
  log!: BlockLog;
  projector!: Projector;

  private constructor(chain: SealedChain) {
    this.chain = chain;
  }

  static async open(chain = new SealedChain()): Promise<Projected> {
    const projected = new Projected(chain);
    const { store } = projected;
    projected.log = await BlockLog.create(store, { chainId: chain.chainId, validatorKey: null }, chain.state);
    projected.projector = await Projector.open({
      store,
      log: projected.log,
      projections: CATALOG,
      onStopped: (_name, error) => {
        throw error;
      },
    });
    return projected;
  }

  async take({ changes, sealed }: ReturnType<SealedChain['commit']>): Promise<void> {
    await this.store.batch(committedBlockOps(sealed, changes));
    this.projector.offer([{ header: sealed.block.header, events: sealed.block.events, changes }]);
    await this.projector.caughtUp();
  }

  async commit(...events: VerifiedEvent[]): Promise<void> {
    await this.take(this.chain.commit(events));
  }

  reader(name: string): ProjectionReader {
    return this.projector.reader(name);
  }

  async history(peerId: string): Promise<readonly HistoryEntry[]> {
    return (await historyOf(this.reader('node-history'), peerId, { limit: 1000 })).entries;
  }
}

const node = peerOf(1);
let ledger: Projected;
let seq: number;

beforeEach(async () => {
  ledger = await Projected.open();
  seq = 1;
});

const act = (type: string, more: Readonly<Record<string, unknown>> = {}, peerId = node) =>
  ledger.chain.event({ type, peerId, seq: (seq += 1), ...more });

/** Proposed and approved by a quorum, each in a block of its own. @returns the proposal */
async function decide(action: QuorumAction): Promise<string> {
  const [first, second, third] = ledger.chain.validators.members.map(({ peerId }) => peerId) as [
    string,
    string,
    string,
  ];
  const replaces = unwrap(replacedDigest(ledger.chain.machine.head, action));
  const proposal = act('proposed', { action, epoch: 0, replaces, expires: ledger.chain.now + 5000 }, first);
  await ledger.commit(proposal);
  await ledger.commit(act('approved', { proposal: proposal.id }, second));
  await ledger.commit(act('approved', { proposal: proposal.id }, third));
  return proposal.id;
}

const kinds = (entries: readonly HistoryEntry[]) => entries.map(({ fact }) => fact.kind);

describe('what happened to a node', () => {
  test('is told newest first, with heights, times and what was said', async () => {
    await ledger.commit(ledger.chain.join(1));
    ledger.chain.now += 100;
    const multiaddrs = ['/ip4/203.0.113.9/tcp/9'];
    const changed = act('addressesChanged', { multiaddrs });
    await ledger.commit(changed, act('versionChanged', { version: 'v9' }));
    ledger.chain.now += 100;
    await ledger.commit(act('capabilitiesDeclared', { ...NO_CAPABILITIES, isWebScraper: true }));
    await ledger.commit(act('left'));
    const entries = await ledger.history(node);
    expect(kinds(entries)).toEqual(['left', 'capabilitiesDeclared', 'versionChanged', 'addressesChanged', 'joined']);
    expect(entries.map(({ height, index }) => [height, index])).toEqual([
      [4, 0],
      [3, 0],
      [2, 1],
      [2, 0],
      [1, 0],
    ]);
    expect(entries[3]).toEqual({
      height: 2,
      index: 0,
      time: START + 100,
      fact: { kind: 'addressesChanged', event: changed.id, seq: 2, multiaddrs },
    });
    expect(entries[1]).toMatchObject({ time: START + 200, fact: { capabilities: ['isWebScraper'] } });
    expect(await ledger.history(peerOf(77))).toEqual([]);
  });

  test('counts heartbeats in one entry, however many they are', async () => {
    await ledger.commit(ledger.chain.join(1));
    for (const seconds of [1300, 1300, 9000, 1300]) {
      ledger.chain.now += seconds;
      await ledger.commit(act('heartbeat'));
    }
    const open = await ledger.history(node);
    expect(kinds(open)).toEqual(['heard', 'joined']);
    expect(open[0]).toEqual({
      height: 2,
      index: 0,
      time: START + 1300,
      fact: { kind: 'heard', count: 4, untilHeight: 5, untilTime: START + 12_900, longestSilence: 9000 },
    });
    const rowsBefore = (await entriesOf(ledger.store, { gte: utf8('P:node-history'), lt: utf8('P:node-i') })).length;
    ledger.chain.now += 1300;
    await ledger.commit(act('heartbeat'));
    expect((await entriesOf(ledger.store, { gte: utf8('P:node-history'), lt: utf8('P:node-i') })).length).toBe(
      rowsBefore,
    );
    await ledger.commit(act('versionChanged', { version: 'v2' }));
    expect(kinds(await ledger.history(node))).toEqual(['versionChanged', 'heard', 'joined']);
  });

  test('names the proposal by which validators decided, and the reason', async () => {
    await ledger.commit(ledger.chain.join(1));
    const staked = await decide({ kind: 'stakeStatusChanged', peerId: node, isStaked: true, reference: 'sepolia:0x1' });
    await decide({ kind: 'workerTimeoutSet', peerId: node, workerTimeout: START + 960 });
    await decide({ kind: 'workerTimeoutSet', peerId: node, workerTimeout: 0 });
    const removed = await decide({ kind: 'nodeRemoved', peerId: node, reason: 'spam' });
    const facts = (await ledger.history(node)).map(({ fact }) => fact);
    expect(facts).toEqual([
      { kind: 'removed', proposal: removed, reason: 'spam' },
      { kind: 'workerTimeoutSet', workerTimeout: null },
      { kind: 'workerTimeoutSet', workerTimeout: START + 960 },
      { kind: 'stakeChanged', isStaked: true, reference: 'sepolia:0x1', proposal: staked },
      expect.objectContaining({ kind: 'joined' }),
    ]);
    // What was kept of open proposals is gone with them.
    const rows = await rowsOf(ledger.reader('node-history'));
    expect(rows.filter((row) => row.startsWith(toHex(utf8('p\0'))))).toEqual([]);
  });

  test('goes on after a removal, also when the node joins again in the block of its removal', async () => {
    await ledger.commit(ledger.chain.join(1));
    ledger.chain.now += 10;
    const action: QuorumAction = { kind: 'nodeRemoved', peerId: node, reason: 'spam' };
    const [first, second, third] = ledger.chain.validators.members.map(({ peerId }) => peerId) as [
      string,
      string,
      string,
    ];
    const replaces = unwrap(replacedDigest(ledger.chain.machine.head, action));
    const proposal = act('proposed', { action, epoch: 0, replaces, expires: ledger.chain.now + 5000 }, first);
    const approvals = [second, third].map((peerId) => act('approved', { proposal: proposal.id }, peerId));
    const again = act('joined', { multiaddrs: [], version: 'v1', ...NO_CAPABILITIES });
    await ledger.commit(proposal, ...approvals, again);
    const entries = await ledger.history(node);
    expect(kinds(entries)).toEqual(['joined', 'removed', 'joined']);
    expect(entries[1]).toMatchObject({ fact: { proposal: proposal.id, reason: 'spam' } });
  });

  test('begins with the genesis import', async () => {
    await ledger.commit(ledger.chain.join(1));
    const { value } = ledger.chain.steps[0]!.changes.find(({ key }) => key === NODE_KEY_PREFIX + node)!;
    const record = nodeEntryCodec.decodeOwn(value!);
    const imported = { ...record, origin: 'import' } as Extract<typeof record, { kind: 'record' }>;
    ledger = await Projected.open(new SealedChain({ records: [imported] }));
    ledger.projector.offer([]);
    await ledger.projector.caughtUp();
    expect(await ledger.history(node)).toMatchObject([
      { height: 0, index: 0, fact: { kind: 'imported', version: 'v0.8.4', activity: 'joined', isStaked: false } },
    ]);
  });
});

/** All pages, the chain going on between them. */
async function paged(peerId: string, limit: number, meanwhile: () => Promise<void>): Promise<HistoryEntry[]> {
  const all: HistoryEntry[] = [];
  let before: HistoryPosition | undefined;
  for (;;) {
    const query = { limit, ...(before === undefined ? {} : { before }) };
    const { entries, next } = await historyOf(ledger.reader('node-history'), peerId, query);
    expect(entries.length).toBeLessThanOrEqual(limit);
    all.push(...entries);
    if (next === null) return all;
    before = next;
    await meanwhile();
  }
}

const positions = (entries: readonly HistoryEntry[]) => entries.map(({ height, index }) => `${height}.${index}`);

describe('properties of any chain', () => {
  test('pages are complete and without repetition, while blocks arrive', async () => {
    await fc.assert(
      fc.asyncProperty(randomBlocks(6, 14), fc.integer({ min: 1, max: 3 }), async (blocks, limit) => {
        const random = new RandomChain();
        ledger = await Projected.open(random.chain);
        for (const block of blocks) await ledger.take(random.commit(block));
        for (const peerId of RANDOM_NODES) {
          const before = positions(await ledger.history(peerId));
          const more = blocks.values();
          const pages = await paged(peerId, limit, async () => {
            const block = more.next().value;
            if (block !== undefined) await ledger.take(random.commit(block));
          });
          expect(positions(pages)).toEqual(before);
        }
      }),
      { numRuns: 12 },
    );
  });

  test('rows rebuilt from the log are byte for byte those that grew with it, and count what is there', async () => {
    await fc.assert(
      fc.asyncProperty(randomBlocks(6, 14), fc.integer({ min: 1, max: 20 }), async (blocks, eventsPerBatch) => {
        const random = new RandomChain();
        ledger = await Projected.open(random.chain);
        for (const block of blocks) await ledger.take(random.commit(block));
        await expectRebuiltEqual(random.chain, eventsPerBatch);
        await expectCounts(random.chain);
      }),
      { numRuns: 12 },
    );
  });
});

async function expectRebuiltEqual(chain: SealedChain, eventsPerBatch: number): Promise<void> {
  const { log, store } = ledger;
  const plan = CATALOG.map(({ name, version }) => ({ name, version, generation: 7 }));
  const height = log.head().height;
  const built = await buildRows({
    store,
    log,
    write: rowWriter(store),
    first: chain.state,
    validatorsOf: () => chain.validators,
    plan,
    catalog: CATALOG,
    eventsPerBatch,
    control: {
      pause: () => Promise.resolve(),
      onProgress: () => undefined,
      finishAt: () => height,
      isStopped: () => false,
    },
  });
  expect(built).toBe(height);
  for (const { name } of CATALOG) {
    const grown = await rowsOf(ledger.reader(name));
    expect(await rowsOf(new Rows(store, name, 7))).toEqual(grown);
  }
}

async function rowsOf(reader: ProjectionReader): Promise<readonly string[]> {
  const rows: string[] = [];
  for await (const [key, value] of reader.entries({})) rows.push(`${toHex(key)}=${toHex(value)}`);
  return rows;
}

/** Against the state itself. */
async function expectCounts(chain: SealedChain): Promise<void> {
  const reader = ledger.reader('statistics');
  const records = [...chain.backing.entries]
    .filter(([key]) => key.startsWith(NODE_KEY_PREFIX))
    .map(([, value]) => nodeEntryCodec.decodeOwn(value))
    .filter((entry) => entry.kind === 'record');
  const countOf = (is: (record: (typeof records)[number]) => boolean) => records.filter(is).length;
  const { blocks, events, nodes, types } = totalsOf(reader);
  expect(nodes).toEqual({
    records: records.length,
    joined: countOf(({ activity }) => activity === 'joined'),
    left: countOf(({ activity }) => activity === 'left'),
    staked: countOf(({ stake }) => stake?.isStaked === true),
    capabilities: expect.any(Array) as unknown,
  });
  for (const capability of CAPABILITIES) {
    const told = nodes.capabilities.find((each) => each.capability === capability)?.count ?? 0;
    expect(told).toBe(countOf((record) => record[capability]));
  }
  const versions = [...(await versionsOf(reader))];
  expect(versions.every(([version, count]) => count === countOf((record) => record.version === version))).toBe(true);
  expect(versions.reduce((sum, [, count]) => sum + count, 0)).toBe(records.length);
  const all = chain.steps.flatMap(({ sealed }) => sealed.block.events);
  expect([blocks, events]).toEqual([chain.steps.length + 1, all.length]);
  expect(types.reduce((sum, { count }) => sum + count, 0)).toBe(all.length);
  const days = await daysOf(reader, 1000);
  expect(days.reduce((sum, day) => sum + day.events, 0)).toBe(all.length);
  expect(days.map(({ day }) => day)).toEqual([...new Set(days.map(({ day }) => day))].sort((a, b) => b - a));
  const [epoch, ...others] = await epochsOf(reader, 10);
  expect(others).toEqual([]);
  expect(epoch).toMatchObject({ epoch: 0, firstHeight: 0, lastHeight: chain.steps.length, events: all.length, nodes });
}

test('an offline rebuild gives the same rows', async () => {
  const random = new RandomChain();
  ledger = await Projected.open(random.chain);
  for (const block of fc.sample(randomBlocks(10, 10), { numRuns: 1, seed: 7 })[0] ?? [])
    await ledger.take(random.commit(block));
  const replay = new Replay({ genesis: random.chain.state, validatorsOf: () => random.chain.validators });
  const results = await rebuildProjections({ store: ledger.store, log: ledger.log, replay, projections: CATALOG });
  expect(results.map(({ before }) => before)).toEqual(CATALOG.map(() => 'equal'));
});
