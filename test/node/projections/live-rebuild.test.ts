import { setImmediate } from 'node:timers/promises';
import { beforeEach, describe, expect, test } from 'vitest';
import { toHex, utf8 } from '../../../src/base/bytes.ts';
import { unwrap } from '../../../src/base/result.ts';
import { BlockLog, committedBlockOps } from '../../../src/ledger/block-log.ts';
import type { VerifiedEvent } from '../../../src/ledger/verified-event.ts';
import { NodeProjections } from '../../../src/node/projections/node-projections.ts';
import { readBuild } from '../../../src/projections/build-state.ts';
import { CATALOG } from '../../../src/projections/catalog.ts';
import { nodeData, peerIds, recordCount } from '../../../src/projections/node-data.ts';
import type { ProjectedBlock, Projection } from '../../../src/projections/projection.ts';
import { SealedChain } from '../../ledger/chain.ts';
import { peerOf } from '../../ledger/nodes.ts';
import { rebuildHere } from '../../projections/rebuild-here.ts';
import { entriesOf } from '../../store/contract.ts';
import { MemoryDisk, MemoryStore } from '../../store/memory-store.ts';

let chain: SealedChain;
let disk: MemoryDisk;
let store: MemoryStore;
let log: BlockLog;
let errors: unknown[];

beforeEach(async () => {
  chain = new SealedChain();
  disk = new MemoryDisk();
  store = new MemoryStore(disk);
  log = await BlockLog.create(store, { chainId: chain.chainId, validatorKey: null }, chain.state);
  errors = [];
});

interface Opened {
  readonly eventsPerBatch?: number;
  readonly projections?: readonly Projection[];
  readonly pause?: () => Promise<void>;
}

function open({ projections = CATALOG, ...more }: Opened = {}): Promise<NodeProjections> {
  const { state: first, validators } = chain;
  return NodeProjections.open({
    store,
    log,
    projections,
    startRebuild: rebuildHere({ store, log, first, validators, catalog: projections, ...more }),
    logger: { info: () => undefined, error: (facts: unknown) => void errors.push(facts) },
  });
}

async function commit(events: readonly VerifiedEvent[] = []): Promise<ProjectedBlock> {
  const { changes, sealed } = chain.commit(events);
  await store.batch(committedBlockOps(sealed, changes));
  return { header: sealed.block.header, events: sealed.block.events, changes };
}

async function someBlocks(count: number, from = 0): Promise<void> {
  for (let node = from; node < from + count; node++) await commit([chain.join(node)]);
}

/** All rows of projections, by the hex of their keys. */
async function rows(prefix = ''): Promise<ReadonlyMap<string, string>> {
  const entries = await entriesOf(store, { gte: utf8('P'), lt: utf8('Q') });
  const all = entries.map(([key, value]) => [toHex(key), toHex(value)] as const);
  return new Map(all.filter(([key]) => key.startsWith(toHex(utf8(prefix)))));
}

async function contentOf(projections: NodeProjections, name: string): Promise<readonly string[]> {
  return projections.read(name, async (reader) => {
    const content: string[] = [];
    for await (const [key, value] of reader.entries({})) content.push(`${toHex(key)}=${toHex(value)}`);
    return content;
  });
}

/** As a later program has it. */
const grown = (by = 1): Projection => ({ ...nodeData, version: nodeData.version + by });
const states = (projections: NodeProjections) =>
  projections.status().projections.map(({ height, state }) => `${state} ${height}`);

async function followed(blocks = 5): Promise<void> {
  const projections = await open();
  projections.begin();
  await someBlocks(blocks);
  projections.offer([]);
  await projections.settled();
  await projections.close();
}

describe('a rebuild beside a running node', () => {
  test('makes the rows of a projection whose version grew, byte for byte those that would have grown', async () => {
    await followed();
    const before = await open();
    const content = await contentOf(before, 'node-data');
    await before.close();
    const newer = await open({ projections: [grown()] });
    expect(states(newer)).toEqual(['stale 5']);
    newer.begin();
    await newer.settled();
    expect(states(newer)).toEqual(['following 5']);
    expect(await contentOf(newer, 'node-data')).toEqual(content);
    expect(errors).toEqual([]);
    await newer.close();
    expect([...(await rows('P!')).keys(), ...(await rows('P%')).keys()]).toEqual([]);
    expect((await rows('P#node-data')).size).toBe(1);
  });

  test('serves the old rows until the new ones are at the head, and follows blocks that come meanwhile', async () => {
    await followed();
    let blocks = 0;
    const newer = await open({
      projections: [grown()],
      pause: async () => {
        expect(await newer.read('node-data', (reader) => Promise.resolve(recordCount(reader)))).toBe(5);
        if (blocks++ < 90) newer.offer([await commit([chain.join(100 + blocks)])]);
        await setImmediate();
      },
    });
    newer.begin();
    await newer.settled();
    expect(await newer.read('node-data', (reader) => Promise.resolve(recordCount(reader)))).toBe(5 + blocks);
    expect(log.changesAt(log.head().height)).toBeUndefined();
    expect(errors).toEqual([]);
    await newer.close();
  });

  test('lets a read that began on the old rows end on them, and removes them then', async () => {
    await followed(30);
    const newer = await open({ projections: [grown()] });
    const opened = Promise.withResolvers<void>();
    const swapped = Promise.withResolvers<void>();
    const reading = newer.read('node-data', async (reader) => {
      const seen: string[] = [];
      opened.resolve();
      for await (const peerId of peerIds(reader)) {
        await swapped.promise;
        seen.push(peerId);
        // Not by an iterator's snapshot alone: rows are read one by one as well.
        expect(recordCount(reader)).toBe(30);
      }
      return seen;
    });
    await opened.promise;
    newer.begin();
    await newer.settled();
    newer.offer([await commit([chain.join(99)])]);
    await newer.settled();
    expect(await newer.read('node-data', (reader) => Promise.resolve(recordCount(reader)))).toBe(31);
    expect((await rows('P#node-data')).size).toBe(2);
    swapped.resolve();
    expect(await reading).toHaveLength(30);
    await newer.settled();
    expect((await rows('P#node-data')).size).toBe(1);
    await newer.close();
  });

  test('goes on where it stood after the process has ended at any moment', async () => {
    await followed(40);
    const expected = await open();
    const content = await contentOf(expected, 'node-data');
    await expected.close();
    const stoodAt: number[] = [];
    for (;;) {
      const before = readBuild(store)?.nextHeight ?? 0;
      const newer = await open({
        projections: [grown()],
        eventsPerBatch: 5,
        // Of two batches one is written, and the other perhaps.
        pause: () =>
          (readBuild(store)?.nextHeight ?? 0) > before ? Promise.reject(new Error('killed')) : setImmediate(),
      });
      newer.begin();
      await newer.settled();
      const killed = errors.length > 0;
      if (killed) expect(newer.status().rebuildFailure).toMatchObject({ code: 'rebuild-failed' });
      if (!killed) expect(await contentOf(newer, 'node-data')).toEqual(content);
      await newer.close();
      if (!killed) break;
      stoodAt.push(readBuild(store)?.nextHeight ?? 0);
      errors = [];
    }
    expect(stoodAt.length).toBeGreaterThan(5);
    expect(stoodAt).toEqual([...new Set(stoodAt)].sort((a, b) => a - b));
  });

  test('ends with the node also where its thread is done, and on its way out', async () => {
    await followed();
    const { state: first, validators } = chain;
    const here = rebuildHere({ store, log, first, validators, catalog: [grown()] });
    const done = Promise.withResolvers<void>();
    const exit = Promise.withResolvers<void>();
    const projections = await NodeProjections.open({
      store,
      log,
      projections: [grown()],
      startRebuild: (...asked) => {
        const run = here(...asked);
        void run.ended.then(() => done.resolve());
        return { ...run, ended: run.ended.finally(() => exit.promise), stop: () => exit.promise };
      },
      logger: { info: () => undefined, error: (facts: unknown) => void errors.push(facts) },
    });
    projections.begin();
    await done.promise;
    const closed = projections.close();
    await setImmediate();
    exit.resolve();
    await closed;
    expect(errors).toEqual([]);
    const again = await open({ projections: [grown()] });
    again.begin();
    await again.settled();
    expect(states(again)).toEqual(['following 5']);
    expect(recordCount(again.reader('node-data'))).toBe(5);
    await again.close();
  });

  test('is asked for by an operator, of projections that the program keeps', async () => {
    await followed();
    const projections = await open();
    projections.begin();
    expect(projections.request(['nothing'])).toMatchObject({ ok: false, refusal: { code: 'projection-unknown' } });
    expect(unwrap(projections.request(['node-data']))).toEqual(['node-data']);
    expect(projections.status().rebuild).toMatchObject({ projections: ['node-data'] });
    await projections.settled();
    expect(projections.status()).toMatchObject({ rebuild: null, rebuildFailure: null });
    expect([...(await rows('P#node-data')).keys()][0]).toMatch(/01$/);
    expect((await rows('P#validators')).size).toBe(1);
    await projections.close();
  });

  test('makes a projection that is new in the catalog, which is refused by code until then', async () => {
    await followed();
    const added: Projection = { ...nodeData, name: 'added' };
    const projections = await open({ projections: [...CATALOG, added] });
    expect(() => projections.reader('added')).toThrow(
      expect.objectContaining({ code: 'projection-not-built' }) as Error,
    );
    projections.begin();
    await projections.settled();
    expect(await contentOf(projections, 'added')).toEqual(await contentOf(projections, 'node-data'));
    await projections.close();
  });

  test('does not serve rows that the program cannot read', async () => {
    await followed();
    const projections = await open({ projections: [{ ...grown(2), readableSince: nodeData.version + 1 }] });
    expect(() => projections.reader('node-data')).toThrow(
      expect.objectContaining({ code: 'projection-not-built' }) as Error,
    );
    projections.begin();
    await projections.settled();
    expect(recordCount(projections.reader('node-data'))).toBe(5);
    await projections.close();
  });

  test('mends once what stopped; a bug in it stays for the operator', async () => {
    const buggy: Projection = {
      name: 'buggy',
      version: 1,
      apply: ({ header }) => {
        if (header.height === 3) throw new TypeError('a bug');
        return [];
      },
    };
    const projections = await open({ projections: [buggy, nodeData] });
    projections.begin();
    await someBlocks(5);
    projections.offer([]);
    await projections.settled();
    expect(states(projections)).toEqual(['stopped 2', 'following 5']);
    // The projector's, and that of the one rebuild.
    expect(errors).toHaveLength(2);
    await projections.close();
  });

  test('says why it cannot be done, and the old rows serve on', async () => {
    await followed();
    const other = new SealedChain({ validators: 5 });
    const projections = await NodeProjections.open({
      store,
      log,
      projections: [grown()],
      startRebuild: rebuildHere({
        store,
        log,
        first: other.state,
        validators: other.validators,
        catalog: [grown()],
      }),
      logger: { info: () => undefined, error: (facts: unknown) => void errors.push(facts) },
    });
    projections.begin();
    await projections.settled();
    expect(projections.status()).toMatchObject({
      projections: [{ state: 'stale' }],
      rebuildFailure: { code: 'replay-from-snapshot' },
    });
    expect(recordCount(projections.reader('node-data'))).toBe(5);
    expect(peerOf(1)).not.toBe('');
    await projections.close();
  });
});
