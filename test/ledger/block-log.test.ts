import { beforeEach, describe, expect, test } from 'vitest';
import { utf8 } from '../../src/base/bytes.ts';
import { ZERO_HASH, type Hash } from '../../src/base/hash.ts';
import {
  BlockLog,
  committedBlockOps,
  floorOps,
  evidenceOps,
  forgottenBlockOps,
  projectedOps,
  safetyRecordOps,
  uncommittedBlockOps,
  type LogIdentity,
} from '../../src/ledger/block-log.ts';
import { encodeSealedBlock, type SealedBlock } from '../../src/ledger/block.ts';
import { contentOf } from '../../src/ledger/checked-record.ts';
import {
  bigEndian,
  blockKey,
  changesKey,
  fromBigEndian,
  FLOOR_KEY,
  HEAD_KEY,
  heightKey,
  IDENTITY_KEY,
  LAYOUT_KEY,
  LAYOUT_VERSION,
  MIGRATIONS_KEY,
  rangeOf,
  stateKey,
  uncommittedKey,
} from '../../src/ledger/layout.ts';
import { nodeKey, PARAMETERS_KEY } from '../../src/ledger/state.ts';
import { everyFlip, flipped } from '../flipped.ts';
import { entriesOf } from '../store/contract.ts';
import { MemoryStore } from '../store/memory-store.ts';
import { SealedChain } from './chain.ts';
import { peerOf } from './nodes.ts';

const KEY = 'ab'.repeat(32) as Hash;

let chain: SealedChain;
let store: MemoryStore;
let identity: LogIdentity;
let log: BlockLog;

beforeEach(async () => {
  chain = new SealedChain();
  store = new MemoryStore();
  identity = { chainId: chain.chainId, validatorKey: KEY };
  log = await BlockLog.create(store, identity, chain.state);
});

async function commit(...nodes: readonly number[]): Promise<void> {
  const { changes, sealed } = chain.commit(nodes.map((node) => chain.join(node)));
  await store.batch(committedBlockOps(sealed, changes));
}

const reopen = (own: LogIdentity = identity) => BlockLog.open(store, own);
const put = (key: Uint8Array, value: Uint8Array) => store.batch([{ kind: 'put', key, value }]);
const code = (expected: string) => expect.objectContaining({ code: expected }) as Error;

describe('a block log', () => {
  test('begins with genesis: its block, its state, its changes', () => {
    expect(log.head()).toEqual({
      height: 0,
      blockId: chain.state.block.id,
      stateRoot: chain.state.block.header.stateRoot,
      timestamp: chain.genesis.timestamp,
    });
    expect(log.sealedBlockAt(0)?.seal.kind).toBe('genesis');
    expect(log.changesAt(0)).toEqual(chain.state.changes);
    for (const { key, value } of chain.state.changes) expect(log.state.get(key)).toEqual(value);
  });

  test('holds committed blocks by height and id, the state after them, and what each changed', async () => {
    await commit(1);
    await commit(2, 3);
    const [first, second] = chain.steps;
    log = await reopen();
    expect(log.head()).toMatchObject({ height: 2, blockId: second?.sealed.block.id });
    expect(log.sealedBytesAt(1)).toEqual(encodeSealedBlock(chain.sealedAt(1)));
    expect(log.sealedBlockAt(2)?.block.events.map(({ id }) => id)).toEqual(
      second?.sealed.block.events.map(({ id }) => id),
    );
    expect(log.sealedBlockAt(3)).toBeUndefined();
    expect(log.heightOf(first?.sealed.block.id as Hash)).toBe(1);
    expect(log.heightOf(ZERO_HASH)).toBeUndefined();
    expect(log.state.get(nodeKey(peerOf(3)))).toEqual(chain.machine.get(nodeKey(peerOf(3))));
    expect(log.changesAt(2)).toEqual(second?.changes);
    await store.batch(projectedOps(2));
    expect(log.changesAt(2)).toBeUndefined();
  });

  test('keeps uncommitted blocks by id until they are committed or forgotten', async () => {
    const block = chain.blockOf([chain.join(1)]);
    const other = { id: 'cd'.repeat(32) as Hash, bytes: utf8('loser') };
    await store.batch(uncommittedBlockOps([{ id: block.id, bytes: utf8('as the engine encodes it') }, other]));
    expect(log.uncommittedBytes(block.id)).toEqual(utf8('as the engine encodes it'));
    expect(await log.uncommitted()).toHaveLength(2);
    await commit(1);
    expect(await log.uncommitted()).toEqual([other]);
    await store.batch(forgottenBlockOps([other.id]));
    expect(await log.uncommitted()).toEqual([]);
  });

  test('keeps the safety record and one piece of evidence a validator and epoch', async () => {
    expect(log.safetyRecord()).toBeUndefined();
    await store.batch([
      ...safetyRecordOps(utf8('record')),
      ...evidenceOps(0, 1, utf8('a')),
      ...evidenceOps(0, 1, utf8('b')),
    ]);
    await store.batch(evidenceOps(1, 300, utf8('c')));
    log = await reopen();
    expect(log.safetyRecord()).toEqual(utf8('record'));
    expect(await log.evidence()).toEqual([
      { epoch: 0, offender: 1, bytes: utf8('b') },
      { epoch: 1, offender: 300, bytes: utf8('c') },
    ]);
  });

  test('loads a machine that goes on where the log ends', async () => {
    await commit(1);
    await commit(2);
    const machine = await (await reopen()).loadMachine();
    expect(machine.head).toMatchObject({ height: 2, stateRoot: chain.machine.head.stateRoot, timestamp: chain.now });
    const next = machine.execute(machine.head, chain.context(), [chain.join(3)]);
    chain.commit([chain.join(3)]);
    expect(next).toMatchObject({ ok: true, value: { stateRoot: chain.machine.head.stateRoot } });
  });
});

describe('opening a block log', () => {
  test('an empty store holds no ledger, and only an empty store becomes one', async () => {
    await expect(BlockLog.open(new MemoryStore(), identity)).rejects.toThrow(code('store-empty'));
    await expect(BlockLog.create(store, identity, chain.state)).rejects.toThrow(code('store-not-empty'));
  });

  test('of another chain or another validator is refused, and nothing is written', async () => {
    const before = await entriesOf(store, {});
    await expect(reopen({ ...identity, chainId: 'other' })).rejects.toThrow(code('chain-mismatch'));
    await expect(reopen({ ...identity, validatorKey: ZERO_HASH })).rejects.toThrow(code('key-mismatch'));
    await expect(reopen({ ...identity, validatorKey: null })).rejects.toThrow(code('key-mismatch'));
    expect(await entriesOf(store, {})).toEqual(before);
  });

  test('of a newer or an older layout is refused', async () => {
    await put(LAYOUT_KEY, utf8(String(LAYOUT_VERSION + 1)));
    await expect(reopen()).rejects.toThrow(code('layout-newer'));
    await put(LAYOUT_KEY, utf8('1'));
    await expect(reopen()).rejects.toThrow(code('store-corrupt'));
    // As a program of layout 1 left it.
    await store.batch([{ kind: 'delete', key: MIGRATIONS_KEY }]);
    await expect(reopen()).rejects.toThrow(code('layout-older'));
    await put(LAYOUT_KEY, utf8('one'));
    await expect(reopen()).rejects.toThrow(code('store-corrupt'));
  });

  test.each([
    ['the layout version', LAYOUT_KEY],
    ['the record of its migrations', MIGRATIONS_KEY],
    ['the identity', IDENTITY_KEY],
    ['the head', HEAD_KEY],
    ['the floor', FLOOR_KEY],
    ['the block of the head', blockKey(0)],
  ])('without %s is refused', async (_what, key) => {
    await store.batch([{ kind: 'delete', key }]);
    const expected = key === MIGRATIONS_KEY ? 'migration-unrecorded' : 'store-corrupt';
    await expect(reopen()).rejects.toThrow(code(expected));
  });

  test('begins at its floor, whose block must be there', async () => {
    expect(log.floor()).toBe(0);
    await commit(1);
    await commit(2);
    await store.batch([{ kind: 'delete', key: blockKey(0) }, ...floorOps(1)]);
    expect((await reopen()).floor()).toBe(1);
    await store.batch([{ kind: 'delete', key: blockKey(1) }]);
    await expect(reopen()).rejects.toThrow(code('store-corrupt'));
    await store.batch(floorOps(3));
    await expect(reopen()).rejects.toThrow(code('store-corrupt'));
  });

  test('with a head or a block that does not decode, or disagree, is store-corrupt', async () => {
    await commit(1);
    await put(blockKey(1), encodeSealedBlock(chain.sealedAt(0)));
    await expect(reopen()).rejects.toThrow(code('store-corrupt'));
    await put(blockKey(1), utf8('rubbish'));
    await expect(reopen()).rejects.toThrow(code('store-corrupt'));
    await put(HEAD_KEY, utf8('rubbish'));
    await expect(reopen()).rejects.toThrow(code('store-corrupt'));
  });

  test('with a state that is not that of its head is refused when the tree is rebuilt', async () => {
    await commit(1);
    await put(stateKey(nodeKey(peerOf(9))), utf8('planted'));
    await expect((await reopen()).loadMachine()).rejects.toThrow(code('state-root-mismatch'));
    await store.batch([{ kind: 'delete', key: stateKey(nodeKey(peerOf(9))) }]);
    await expect((await reopen()).loadMachine()).resolves.toBeDefined();
  });
});

describe('a flipped bit', () => {
  /** What it reads as with each bit of this value flipped: codes of errors, and other answers than the right one. */
  async function outcomes<T>(key: Uint8Array, read: () => T | Promise<T>): Promise<Set<unknown>> {
    const right = JSON.stringify(await read());
    const value = store.get(key) as Uint8Array;
    const found = new Set<unknown>();
    for (const damaged of everyFlip(value)) {
      await put(key, damaged);
      try {
        const answer = JSON.stringify(await read());
        if (answer !== right) found.add(answer);
      } catch (error) {
        found.add((error as { code?: unknown }).code ?? error);
      }
    }
    await put(key, value);
    return found;
  }

  test('in a block makes it no other block', async () => {
    await commit(1);
    const idOf = () => log.sealedBlockAt(1)?.block.id;
    expect(await outcomes(blockKey(1), idOf)).toEqual(new Set(['store-corrupt']));
    const id = idOf() as Hash;
    expect(await outcomes(heightKey(id), idOf)).toEqual(new Set(['store-corrupt']));
    await put(heightKey(id), bigEndian(1).subarray(1));
    expect(idOf).toThrow(code('store-corrupt'));
  });

  test('in what a block changed is no other change', async () => {
    await commit(1);
    expect(await outcomes(changesKey(1), () => log.changesAt(1))).toEqual(new Set(['store-corrupt']));
  });

  test('in the head or the identity is refused at the next start', async () => {
    await commit(1);
    expect(await outcomes(HEAD_KEY, async () => (await reopen()).head())).toEqual(new Set(['store-corrupt']));
    const opened = async () => (await reopen()).identity;
    expect(await outcomes(IDENTITY_KEY, opened)).toEqual(new Set(['store-corrupt']));
  });

  test('in the floor, the migrations or the one under way is refused at the next start', async () => {
    const opened = async () => (await reopen()).floor();
    expect(await outcomes(FLOOR_KEY, opened)).toEqual(new Set(['store-corrupt']));
    const found = await outcomes(MIGRATIONS_KEY, opened);
    expect(found).toEqual(new Set(['store-corrupt']));
  });

  test('in the layout version is refused at the next start', async () => {
    const opened = async () => (await reopen()).identity;
    expect(await outcomes(LAYOUT_KEY, opened)).toEqual(new Set(['store-corrupt', 'layout-newer']));
  });

  test('in a key is refused at the next start', async () => {
    await commit(1);
    const head = log.head().blockId;
    for (const [key, read] of [
      [stateKey(nodeKey(peerOf(1))), () => log.loadMachine()],
      [heightKey(head), () => reopen()],
      [blockKey(1), () => reopen()],
      [uncommittedKey(head), () => log.uncommitted()],
    ] as const) {
      const value = store.get(key) ?? utf8('a block');
      for (const damaged of [...everyFlip(key.subarray(1)), key.subarray(2)]) {
        const other = Uint8Array.of(key[0] as number, ...damaged);
        await store.batch([
          { kind: 'delete', key },
          { kind: 'put', key: other, value },
        ]);
        const outcome = await read().then(
          (blocks) => (Array.isArray(blocks) ? 'kept under another id' : 'opened'),
          (error: unknown) => (error as { code?: unknown }).code,
        );
        expect(['store-corrupt', 'state-root-mismatch', 'kept under another id']).toContain(outcome);
        await store.batch([
          { kind: 'delete', key: other },
          { kind: 'put', key, value },
        ]);
      }
      if (key[0] === 'U'.charCodeAt(0)) await store.batch([{ kind: 'delete', key }]);
    }
  });

  test('in the state is refused at the next start', async () => {
    await commit(1);
    const loaded = async () => (await log.loadMachine()).head.stateRoot;
    expect(await outcomes(stateKey(nodeKey(peerOf(1))), loaded)).toEqual(new Set(['state-root-mismatch']));
  });

  test('in the number of the event schema is damage, and no reason to upgrade', async () => {
    await commit(1);
    const started = async () => (await (await reopen()).loadMachine()).head.stateRoot;
    const told = await outcomes(stateKey(PARAMETERS_KEY), started);
    expect([...told].sort()).toEqual(['state-root-mismatch', 'store-corrupt']);
  });

  test('in a seal is told, though no id covers it', async () => {
    await commit(1);
    const { block, seal } = log.sealedBlockAt(1) as SealedBlock;
    const other = { block, seal: { ...seal, bytes: flipped(seal.bytes, 3) } };
    await put(blockKey(1), encodeSealedBlock(other));
    expect(() => log.sealedBlockAt(1)).toThrow(code('store-corrupt'));
    await put(blockKey(1), encodeSealedBlock({ block, seal }));
    expect(log.sealedBlockAt(1)?.seal).toEqual(seal);
  });

  test('cannot pass for age: what was written without a check is refused', async () => {
    await commit(1);
    await put(changesKey(1), contentOf(store.get(changesKey(1)) as Uint8Array) as Uint8Array);
    expect(() => log.changesAt(1)).toThrow(code('store-corrupt'));
    await put(HEAD_KEY, contentOf(store.get(HEAD_KEY) as Uint8Array) as Uint8Array);
    expect(() => log.head()).toThrow(code('store-corrupt'));
  });
});

describe('the layout', () => {
  test('orders heights as numbers', () => {
    const heights = [0, 1, 255, 256, 65_535, 65_536, 2 ** 32, Number.MAX_SAFE_INTEGER];
    const keys = heights.map((height) => Buffer.from(blockKey(height)));
    expect(keys.toSorted((a, b) => Buffer.compare(a, b))).toEqual(keys);
    expect(heights.map((height) => fromBigEndian(bigEndian(height)))).toEqual(heights);
  });

  test('gives a range exactly the keys that begin with its prefix', () => {
    expect(rangeOf(Uint8Array.of(5, 7))).toEqual({ gte: Uint8Array.of(5, 7), lt: Uint8Array.of(5, 8) });
    expect(rangeOf(Uint8Array.of(5, 255, 255))).toEqual({ gte: Uint8Array.of(5, 255, 255), lt: Uint8Array.of(6) });
  });
});
