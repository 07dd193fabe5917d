import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { sha256Hex, ZERO_HASH } from '../../../src/base/hash.ts';
import { encodeSafetyRecord, firstSafetyRecord, type SafetyRecord } from '../../../src/hotstuff/safety-record.ts';
import {
  BlockLog,
  committedBlockOps,
  evidenceOps,
  safetyRecordOps,
  type LogIdentity,
} from '../../../src/ledger/block-log.ts';
import { SAFETY_KEY } from '../../../src/ledger/layout.ts';
import { ledgersSetAside, LedgerSwap } from '../../../src/node/joining/ledger-swap.ts';
import { openLedger } from '../../../src/node/open-ledger.ts';
import { restoreLedger } from '../../../src/node/snapshot/restore-ledger.ts';
import { chunkFile, MANIFEST_FILE, SnapshotFolder } from '../../../src/node/snapshot/snapshot-folder.ts';
import { snapshotInFolder } from '../../../src/node/snapshot/snapshot-source.ts';
import { genesisCertificate } from '../../../src/qc/certificate.ts';
import { LevelStore } from '../../../src/store/level-store.ts';
import type { StoreOperation } from '../../../src/store/store.ts';
import { SealedChain } from '../../ledger/chain.ts';
import { temporaryDirectory } from '../directory.ts';
import { sharedDirectory } from '../snapshot/ledger.ts';
import { heldSnapshot } from './served-snapshots.ts';

const HEIGHT = 12;
const KEY = sha256Hex(new Uint8Array([7]));
const EVIDENCE = new Uint8Array([1, 2, 3]);

let chain: SealedChain;
let identity: LogIdentity;
let shared: string;
let served: SnapshotFolder;
/** Of the block that the snapshot is of. */
let snapshotRound: number;

beforeAll(async () => {
  chain = new SealedChain();
  for (let node = 1; node <= HEIGHT; node++) chain.commit([chain.join(node)]);
  identity = { chainId: chain.chainId, validatorKey: KEY };
  snapshotRound = chain.sealedAt(HEIGHT).block.header.round;
  shared = await sharedDirectory();
  served = SnapshotFolder.of(shared);
  const { chunks, manifest } = heldSnapshot(chain, 2);
  await mkdir(served.pathOf(HEIGHT), { recursive: true });
  await writeFile(join(served.pathOf(HEIGHT), MANIFEST_FILE), manifest);
  for (const [index, chunk] of chunks.entries()) {
    await writeFile(join(served.pathOf(HEIGHT), chunkFile(index)), chunk);
  }
});

afterAll(() => rm(shared, { recursive: true }));

let directory: string;

/** It gave up in rounds that are later than any block it voted for. */
function recordOf(votedRound: number): Uint8Array {
  const vote = {
    round: votedRound,
    blockId: ZERO_HASH,
    parentRound: votedRound - 1,
    parentId: ZERO_HASH,
    commit: null,
  };
  const record: SafetyRecord = {
    ...firstSafetyRecord(genesisCertificate(0, ZERO_HASH)),
    lastVotedRound: votedRound + 1_000,
    lastVote: vote,
  };
  return encodeSafetyRecord(record);
}

/** A ledger of so many blocks with this record, and beside it one that was restored from the snapshot. */
async function made(height: number, record: Uint8Array, policy: 'all' | 'keepBlocks' = 'all'): Promise<LedgerSwap> {
  directory = await temporaryDirectory();
  const old = await openLedger(directory, chain.genesis, KEY);
  for (const { changes, sealed } of chain.steps.slice(0, height)) {
    await old.store.batch(committedBlockOps(sealed, changes), { sync: false });
  }
  await old.store.batch([...safetyRecordOps(record), ...evidenceOps(0, 2, EVIDENCE)], { sync: true });
  await old.store.close();
  const swap = swapOf(policy);
  await swap.begin();
  expect(await swap.isWhole()).toBe(false);
  expect(await swap.ownHeight(identity)).toBe(height);
  await restoreLedger({
    dataDirectory: swap.newDirectory,
    genesis: chain.genesis,
    validatorKey: KEY,
    source: await snapshotInFolder(served, HEIGHT),
    threads: 1,
    onProgress: () => undefined,
  });
  expect(await swap.isWhole()).toBe(true);
  return swap;
}

function swapOf(policy: 'all' | 'keepBlocks' = 'all'): LedgerSwap {
  return new LedgerSwap({ dataDirectory: directory, pruning: { policy } });
}

async function write(store: string, operations: readonly StoreOperation[]): Promise<void> {
  const level = await LevelStore.open(join(directory, store));
  await level.batch(operations, { sync: true });
  await level.close();
}

async function kept(name: string) {
  const store = await LevelStore.open(join(directory, name));
  try {
    const log = await BlockLog.open(store, identity);
    const evidence = (await log.evidence()).map(({ bytes }) => bytes);
    return { floor: log.floor(), height: log.head().height, record: store.get(SAFETY_KEY), evidence };
  } finally {
    await store.close();
  }
}

/** By a process that knows nothing but what lies on the disk. */
async function expectSwapped(record: Uint8Array): Promise<void> {
  const swap = swapOf();
  expect(await swap.isUnderWay()).toBe(true);
  expect(await swap.isWhole()).toBe(true);
  expect(await swap.finish(identity)).toBeNull();
  expect(await swap.isUnderWay()).toBe(false);
  expect(await kept('ledger')).toEqual({ floor: HEIGHT, height: HEIGHT, record, evidence: [EVIDENCE] });
  expect((await readdir(directory)).sort()).toEqual(['ledger', 'snapshots']);
  expect(await SnapshotFolder.of(directory).heights()).toEqual([HEIGHT]);
}

test('the new ledger takes the place of the old one, with what the validator signed, byte for byte', async () => {
  await made(0, recordOf(snapshotRound));
  await expectSwapped(recordOf(snapshotRound));
});

const KILLS: Readonly<Record<string, () => Promise<void>>> = {
  'after the record was carried over': () => write('rejoining/ledger', safetyRecordOps(recordOf(snapshotRound))),
  'after the old one left its place': () => moved('ledger', 'rejoining/before'),
  'after the new one came there': async () => {
    await write('rejoining/ledger', [...safetyRecordOps(recordOf(snapshotRound)), ...evidenceOps(0, 2, EVIDENCE)]);
    await moved('ledger', 'rejoining/before');
    await moved('rejoining/ledger', 'ledger');
  },
};

function moved(from: string, to: string): Promise<void> {
  return rename(join(directory, from), join(directory, to));
}

test.each(Object.entries(KILLS))('a kill %s costs nothing: the next start goes on', async (_, kill) => {
  await made(0, recordOf(snapshotRound));
  await kill();
  await expectSwapped(recordOf(snapshotRound));
});

test('what a kill left to be removed is no join that is under way', async () => {
  await made(0, recordOf(1));
  await moved('rejoining', 'rejoined');
  expect(await swapOf().isUnderWay()).toBe(false);
  expect(await readdir(directory)).not.toContain('rejoined');
  expect(await kept('ledger')).toMatchObject({ height: 0, record: recordOf(1) });
});

test('what was signed after the record had been carried over is carried over again', async () => {
  await made(0, recordOf(snapshotRound));
  await write('rejoining/ledger', safetyRecordOps(recordOf(1)));
  await expectSwapped(recordOf(snapshotRound));
});

test('a validator that voted for blocks after the snapshot keeps its ledger as it is', async () => {
  const record = recordOf(snapshotRound + 1);
  const swap = await made(0, record);
  expect(await swap.finish(identity)).toMatchObject({
    code: 'voted-after-snapshot',
    details: { votedRound: snapshotRound + 1, snapshotRound },
  });
  expect(await kept('ledger')).toMatchObject({ floor: 0, height: 0, record });
  expect(await swap.isUnderWay()).toBe(false);
});

test('no ledger gives way to a snapshot that is not newer', async () => {
  const swap = await made(HEIGHT, recordOf(1));
  expect(await swap.finish(identity)).toMatchObject({ code: 'snapshot-behind' });
  expect(await kept('ledger')).toMatchObject({ floor: 0, height: HEIGHT, record: recordOf(1) });
});

test('a record that cannot be read is carried over as it is: it signs nothing there either', async () => {
  const damaged = recordOf(1);
  damaged[9] = (damaged[9] ?? 0) ^ 1;
  await made(0, damaged);
  await expectSwapped(damaged);
});

test('a ledger with blocks is set aside without what it signed; where old blocks are pruned it goes', async () => {
  expect(await (await made(3, recordOf(1))).finish(identity)).toBeNull();
  expect(await ledgersSetAside(directory)).toEqual(['ledger-until-3']);
  expect(await kept('ledger-until-3')).toMatchObject({ floor: 0, height: 3, record: undefined });
  expect(await kept('ledger')).toMatchObject({ floor: HEIGHT, record: recordOf(1) });
  expect(await (await made(3, recordOf(1), 'keepBlocks')).finish(identity)).toBeNull();
  expect(await ledgersSetAside(directory)).toEqual([]);
});

test('what does not belong to this node is not put in its place', async () => {
  await made(0, recordOf(1));
  const other = { ...identity, validatorKey: null };
  await expect(swapOf().finish(other)).rejects.toMatchObject({ code: 'key-mismatch' });
  expect(await kept('ledger')).toMatchObject({ height: 0, record: recordOf(1) });
});
