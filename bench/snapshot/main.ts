/**
 * A snapshot of many nodes: made beside commits, whose latency is measured before and meanwhile, and restored with every
 * chunk checked, beside a raw batch write of the same bytes.
 *
 * The commits are synced batches of one block each, in the process that holds the store: what a validator waits for on
 * its disk and its main thread. Rounds of consensus are not in it.
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { utf8 } from '../../src/base/bytes.ts';
import { sha256Hex } from '../../src/base/hash.ts';
import { ok, unwrap } from '../../src/base/result.ts';
import { BlockLog, firstBlockOps, floorOps, identityOps, stateOps } from '../../src/ledger/block-log.ts';
import { makeBlock, type SealedBlock } from '../../src/ledger/block.ts';
import { encodeCommitProof } from '../../src/ledger/commit-proof.ts';
import { genesisState } from '../../src/ledger/genesis-state.ts';
import type { Genesis, GenesisValidator } from '../../src/ledger/genesis.ts';
import { stateKey } from '../../src/ledger/layout.ts';
import { DEFAULT_PARAMETERS } from '../../src/ledger/parameters.ts';
import { snapshotChunkCodec } from '../../src/ledger/snapshot-chunk.ts';
import { StateTree } from '../../src/ledger/state-tree.ts';
import { generateBlsKey, registrationOf } from '../../src/node/bls-key.ts';
import { genesisValidatorOf } from '../../src/node/genesis-file.ts';
import { ledgerDirectory } from '../../src/node/open-ledger.ts';
import { makeSnapshot } from '../../src/node/snapshot/make-snapshot.ts';
import { restoreLedger } from '../../src/node/snapshot/restore-ledger.ts';
import { SnapshotFolder } from '../../src/node/snapshot/snapshot-folder.ts';
import { snapshotInFolder } from '../../src/node/snapshot/snapshot-source.ts';
import { votePreimage } from '../../src/qc/ballot.ts';
import { nativeScheme } from '../../src/qc/scheme-native.ts';
import { LevelStore } from '../../src/store/level-store.ts';
import type { StoreOperation } from '../../src/store/store.ts';
import { summarize, type Summary } from '../measure.ts';
import { Population } from '../validators/population.ts';

export interface SnapshotOptions {
  /** Where directories are made. */
  readonly parent: string;
  readonly nodes: number;
  /** Commits before the snapshot is begun. */
  readonly commits: number;
}

export interface SnapshotResult {
  readonly entries: number;
  readonly megabytes: number;
  readonly commitBefore: Summary;
  readonly commitMeanwhile: Summary;
  readonly createSeconds: number;
  readonly rawWriteSeconds: number;
  /** Chunks checked and written, into files and the store; rows of projections are made after that. */
  readonly restoreSeconds: number;
  readonly projectionSeconds: number;
}

const VALUE_BYTES = 300;
const ENTRIES_PER_BATCH = 4096;
const COMMIT_EVERY_MS = 10;
const EVENTS_PER_COMMIT = 20;

export async function measureSnapshot({ commits, nodes, parent }: SnapshotOptions): Promise<SnapshotResult> {
  const directory = await mkdtemp(join(parent, 'hotledger-bench-'));
  try {
    const made = await makeLedger(join(directory, 'made'), nodes);
    const creation = await create(join(directory, 'made'), made.chainId, commits);
    const restored = await restore(directory, made.genesis);
    return { entries: nodes, ...creation, ...restored };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** A state of so many entries and a sealed block over it. */
async function makeLedger(dataDirectory: string, nodes: number): Promise<{ chainId: string; genesis: Genesis }> {
  const keys = Array.from({ length: 4 }, generateBlsKey);
  const population = new Population(keys.length, 'ed25519');
  const validators = keys.map((key, index) => validatorOf(key, population.peerIds[index] as string));
  const timestamp = Math.floor(Date.now() / 1000);
  const genesis = {
    name: 'snapshot',
    timestamp,
    commitDepth: 2,
    parameters: DEFAULT_PARAMETERS,
    validators,
    records: [],
  } as Genesis;
  const first = genesisState(genesis);
  const store = await LevelStore.open(ledgerDirectory(dataDirectory), { create: true });
  const tree = new StateTree();
  let version = tree.update(tree.empty, first.changes);
  tree.retire(tree.empty);
  await store.batch(stateOps(first.changes), { sync: false });
  for (let from = 0; from < nodes; from += ENTRIES_PER_BATCH) {
    const changes = Array.from({ length: Math.min(ENTRIES_PER_BATCH, nodes - from) }, () => ({
      key: `bench/${randomBytes(26).toString('hex')}`,
      value: new Uint8Array(randomBytes(VALUE_BYTES)),
    }));
    const next = tree.update(version, changes);
    tree.retire(version);
    version = next;
    await store.batch(
      changes.map(({ key, value }): StoreOperation => ({ kind: 'put', key: stateKey(key), value })),
      { sync: false },
    );
  }
  const block = makeBlock(
    { ...first.block.header, round: 1, height: 1, parentId: first.block.id, stateRoot: version.root },
    [],
  );
  const sealed = sealedBy(genesis, keys, block, first.chainId);
  await store.batch(
    [...identityOps({ chainId: first.chainId, validatorKey: null }), ...floorOps(1), ...firstBlockOps(sealed)],
    { sync: true },
  );
  await store.close();
  return { chainId: first.chainId, genesis };
}

function validatorOf(key: Uint8Array, peerId: string): GenesisValidator {
  return unwrap(genesisValidatorOf(registrationOf(peerId, key, ['/ip4/127.0.0.1/tcp/4001'], nativeScheme)));
}

function sealedBy(
  genesis: Genesis,
  keys: readonly Uint8Array[],
  block: SealedBlock['block'],
  chainId: string,
): SealedBlock {
  const { header, id } = block;
  const order = genesis.validators.map(({ peerId }, index) => ({ peerId, key: keys[index] as Uint8Array }));
  order.sort((a, b) => (a.peerId < b.peerId ? -1 : 1));
  const { height, nextValidatorSet, round, stateRoot } = header;
  const commit = { height, round, blockId: id, stateRoot, nextValidatorSet };
  const vote = { round: round + 1, blockId: sha256Hex(utf8('child')), parentRound: round, parentId: id, commit };
  const preimage = votePreimage({ chainId, epoch: 0 }, vote);
  const signers = [0, 1, 2];
  const signature = unwrap(
    nativeScheme.aggregate(signers.map((signer) => nativeScheme.sign(order[signer]!.key, preimage))),
  );
  const bytes = encodeCommitProof({ certificate: { epoch: 0, vote, signers, signature }, descendants: [] });
  return { block, seal: { kind: 'hotstuff', bytes } };
}

async function create(dataDirectory: string, chainId: string, commits: number) {
  const ledger = ledgerDirectory(dataDirectory);
  const store = await LevelStore.open(ledger, { threads: true });
  const before: number[] = [];
  for (let i = 0; i < commits; i++) before.push(await commit(store, i));
  const meanwhile: number[] = [];
  let isMade = false;
  const committing = (async () => {
    for (let i = 0; !isMade; i++) meanwhile.push(await commit(store, i));
  })();
  const startedMs = performance.now();
  const height = BlockLog.over(store, { chainId, validatorKey: null }).head().height;
  const folder = SnapshotFolder.of(dataDirectory);
  const making = { ledger, chainId, height, folder, stepsAside: true, signal: new AbortController().signal };
  const { bytes } = await makeSnapshot({ ...making, changedSince: () => ok(new Map()), onProgress: () => undefined });
  const createSeconds = (performance.now() - startedMs) / 1000;
  isMade = true;
  await committing;
  await store.close();
  return {
    megabytes: bytes / 1e6,
    createSeconds,
    commitBefore: summarize(before),
    commitMeanwhile: summarize(meanwhile),
  };
}

/** What a block writes: some records and itself. They lie outside of the state, which stays the block's. */
async function commit(store: LevelStore, number: number): Promise<number> {
  await sleep(COMMIT_EVERY_MS);
  const operations = Array.from({ length: EVENTS_PER_COMMIT }, (_, event): StoreOperation => ({
    kind: 'put',
    key: utf8(`Z${number}/${event}`),
    value: randomBytes(2 * VALUE_BYTES),
  }));
  const startedMs = performance.now();
  await store.batch(operations, { sync: true });
  return performance.now() - startedMs;
}

async function restore(directory: string, genesis: Genesis) {
  const source = await snapshotInFolder(SnapshotFolder.of(join(directory, 'made')), 1);
  const rawWriteSeconds = await writeRaw(join(directory, 'raw'), source.chunks.length, join(directory, 'made'));
  const startedMs = performance.now();
  let chunksAtMs = startedMs;
  await restoreLedger({
    dataDirectory: join(directory, 'restored'),
    genesis,
    validatorKey: null,
    source,
    threads: availableParallelism(),
    onProgress: ({ phase }) => {
      if (phase === 'projections') chunksAtMs = performance.now();
    },
  });
  return {
    rawWriteSeconds,
    restoreSeconds: (chunksAtMs - startedMs) / 1000,
    projectionSeconds: (performance.now() - chunksAtMs) / 1000,
  };
}

/** The same entries in the same batches, decoded before the clock starts: a chunk at a time, as memory is bounded. */
async function writeRaw(target: string, chunks: number, made: string): Promise<number> {
  const store = await LevelStore.open(target, { create: true });
  const folder = SnapshotFolder.of(made);
  let ms = 0;
  for (let index = 0; index < chunks; index++) {
    const { entries } = snapshotChunkCodec.decodeOwn((await folder.chunk(1, index)) as Uint8Array).content;
    const operations = entries.map(({ key, value }): StoreOperation => ({
      kind: 'put',
      key: stateKey(new TextDecoder().decode(key)),
      value,
    }));
    const startedMs = performance.now();
    await store.batch(operations, { sync: index === chunks - 1 });
    ms += performance.now() - startedMs;
  }
  await store.close();
  return ms / 1000;
}
