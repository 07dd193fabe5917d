/** What `hotledger verify` looks at beside the blocks: snapshots, the floor of the log, evidence, and what Raft keeps. */
import { appendFile, cp, readFile, rm, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { toHex, utf8 } from '../../src/base/bytes.ts';
import { evidenceOps, floorOps } from '../../src/ledger/block-log.ts';
import { formatGenesis } from '../../src/ledger/genesis.ts';
import { FLOOR_KEY, projectionKey, raftEntryKey, RAFT_HARD_STATE_KEY, stateKey } from '../../src/ledger/layout.ts';
import { nodeKey } from '../../src/ledger/state.ts';
import { ledgerDirectory } from '../../src/node/open-ledger.ts';
import { appliedOp, hardStateOp, openRaft, snapshotOp } from '../../src/node/raft/log-store.ts';
import { SnapshotFiles } from '../../src/node/raft/snapshot-files.ts';
import { chunkFile, SnapshotFolder } from '../../src/node/snapshot/snapshot-folder.ts';
import type { VerifyReport } from '../../src/node/verify.ts';
import { votePreimage } from '../../src/qc/ballot.ts';
import { evidenceCodec, makeEvidence } from '../../src/qc/evidence.ts';
import { nativeScheme } from '../../src/qc/scheme-native.ts';
import { LevelStore } from '../../src/store/level-store.ts';
import type { StoreOperation } from '../../src/store/store.ts';
import { run } from '../cli/terminal.ts';
import { flipped } from '../flipped.ts';
import { peerOf } from '../ledger/nodes.ts';
import { Cluster } from '../ledger/raft-cluster.ts';
import { secretKey, voteFor } from '../qc/validators.ts';
import { entriesOf } from '../store/contract.ts';
import { temporaryDirectory } from './directory.ts';
import { grow, prunedLedger } from './pruned-ledger.ts';
import { commands } from './raft/entries.ts';
import { Member } from './raft/member.ts';
import { emptyPlace, sharedDirectory, snapshotIn, type TestLedger } from './snapshot/ledger.ts';

let shared: string;
let made: TestLedger;

beforeAll(async () => {
  shared = await sharedDirectory();
  // A log from height 6 on, a snapshot at 6, one at the head.
  made = await prunedLedger({}, shared);
  await snapshotIn(made);
});

afterAll(() => rm(shared, { recursive: true, force: true }));

async function copied(): Promise<TestLedger & { readonly folder: SnapshotFolder }> {
  const place = await emptyPlace(made.chain);
  const { dataDirectory } = place.config;
  await cp(made.config.dataDirectory, dataDirectory, { recursive: true });
  return { ...place, chain: made.chain, folder: SnapshotFolder.of(dataDirectory) };
}

async function inStore<T>(dataDirectory: string, use: (store: LevelStore) => Promise<T>): Promise<T> {
  const store = await LevelStore.open(ledgerDirectory(dataDirectory));
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}

const write = ({ config }: Pick<TestLedger, 'config'>, ...operations: readonly StoreOperation[]) =>
  inStore(config.dataDirectory, (store) => store.batch(operations, { sync: false }));

async function contentOf({ config }: Pick<TestLedger, 'config'>): Promise<ReadonlyMap<string, string>> {
  const entries = await inStore(config.dataDirectory, (store) => entriesOf(store, {}));
  return new Map(entries.map(([key, value]) => [toHex(key), toHex(value)]));
}

async function verify(directory: string, ...flags: string[]): Promise<VerifyReport> {
  return (await run(['verify', '--data', 'data', '--json', ...flags], directory)).json() as VerifyReport;
}

const put = (key: Uint8Array, value: Uint8Array): StoreOperation => ({ kind: 'put', key, value });
const codesOf = ({ findings }: VerifyReport): string[] => [...new Set(findings.map(({ code }) => code))].sort();

test('a pruned directory that is whole has no findings', async () => {
  const { directory } = await copied();
  expect(await verify(directory)).toMatchObject({
    findings: [],
    firstHeight: 6,
    height: 9,
    checked: { blocks: 4, snapshots: 2, evidence: 0, raftEntries: null },
  });
  expect((await run(['verify', '--data', 'data'], directory)).out).toMatch(/^snapshots +2$/m);
});

describe('a snapshot that does not hold is found, and removed where another one, or the log, goes as far back:', () => {
  const damages: readonly (readonly [what: string, damage: (path: string) => Promise<void>, because: RegExp])[] = [
    ['a flipped bit of a chunk', flipIn(chunkFile(0)), /^chunk-/],
    ['a chunk that is cut off', (path) => writeFile(join(path, chunkFile(0)), 'x'), /./],
    ['a chunk that is missing', (path) => unlink(join(path, chunkFile(0))), /^snapshot-incomplete$/],
    ['a manifest that goes on behind its end', (path) => appendFile(join(path, 'manifest'), 'x'), /./],
  ];

  test.each(damages)('%s', async (_, damage, because) => {
    const { directory, folder } = await copied();
    await damage(folder.pathOf(6));
    const found = await verify(directory);
    expect(found.findings).toMatchObject([
      { code: 'verify-snapshot-damaged', details: { height: 6, because: expect.stringMatching(because) as string } },
    ]);
    expect(await folder.heights()).toEqual([9, 6]);
    expect(await verify(directory, '--repair')).toMatchObject({ repaired: true, remaining: [] });
    expect(await folder.heights()).toEqual([9]);
  });

  test('the last one that a replay could begin with is not', async () => {
    const { directory, folder } = await copied();
    await folder.remove(9);
    await flipIn(chunkFile(0))(folder.pathOf(6));
    const { remaining } = await verify(directory, '--repair');
    expect(remaining).toMatchObject([{ code: 'verify-snapshot-damaged', repair: null }]);
    expect(await folder.heights()).toEqual([6]);
  });

  test('one of another block than the log has', async () => {
    const { directory, folder } = await copied();
    const other = await prunedLedger({ snapshot: 5, behind: 0 });
    other.chain.now += 7;
    await grow(other, [(chain) => [chain.join(70)]]);
    await snapshotIn(other);
    await folder.remove(6);
    await cp(SnapshotFolder.of(other.config.dataDirectory).pathOf(6), folder.pathOf(6), { recursive: true });
    expect(await verify(directory)).toMatchObject({
      findings: [{ code: 'verify-snapshot-foreign', details: { height: 6 }, repair: 'remove it' }],
    });
  });

  function flipIn(file: string): (path: string) => Promise<void> {
    return async (path) => {
      const bytes = new Uint8Array(await readFile(join(path, file)));
      await writeFile(join(path, file), flipped(bytes, bytes.length >> 1));
    };
  }
});

describe('where the log begins', () => {
  test.each([
    ['is gone', () => ({ kind: 'delete' as const, key: FLOOR_KEY })],
    ['is damaged', () => put(FLOOR_KEY, utf8('?'))],
    ['is above its first block', () => floorOps(8)[0] as StoreOperation],
  ])('is written again where it %s', async (_, damage) => {
    const ledger = await copied();
    const before = await contentOf(ledger);
    await write(ledger, damage());
    expect(codesOf(await verify(ledger.directory))).toEqual(['verify-floor-damaged']);
    expect(await verify(ledger.directory, '--repair')).toMatchObject({ remaining: [] });
    expect(await contentOf(ledger)).toEqual(before);
  });

  test('names a block that is not there', async () => {
    const ledger = await copied();
    await write(ledger, ...floorOps(4));
    expect(await verify(ledger.directory, '--repair')).toMatchObject({
      remaining: [{ code: 'verify-block-missing', details: { from: 4, to: 5 }, repair: null }],
    });
  });
});

describe('evidence against a validator', () => {
  function evidence(signer = 2): Uint8Array {
    const { chainId } = made.chain;
    const signed = (name: string) => {
      const ballot = voteFor(9, name);
      return { ballot, signature: nativeScheme.sign(secretKey(signer), votePreimage({ chainId, epoch: 0 }, ballot)) };
    };
    const parts = { kind: 'votes', epoch: 0, offender: 2, first: signed('a'), second: signed('b') } as const;
    return evidenceCodec.encode(makeEvidence(parts, chainId));
  }

  test('is checked, and has no finding where it proves what it says', async () => {
    const ledger = await copied();
    await write(ledger, ...evidenceOps(0, 2, evidence()));
    expect(await verify(ledger.directory)).toMatchObject({ findings: [], checked: { evidence: 1 } });
  });

  test.each([
    ['does not decode', () => evidenceOps(0, 2, utf8('?'))],
    ['is about another validator', () => evidenceOps(0, 1, evidence())],
    ['was signed by another', () => evidenceOps(0, 2, evidence(1))],
  ])('that %s is found and deleted', async (_, damage) => {
    const ledger = await copied();
    const before = await contentOf(ledger);
    await write(ledger, ...damage());
    expect(codesOf(await verify(ledger.directory))).toEqual(['verify-evidence-damaged']);
    await verify(ledger.directory, '--repair');
    expect(await contentOf(ledger)).toEqual(before);
  });
});

describe('a repair of a pruned directory begins with its snapshot:', () => {
  test('a record that was changed', async () => {
    const ledger = await copied();
    const before = await contentOf(ledger);
    await write(ledger, put(stateKey(nodeKey(peerOf(2))), utf8('?')), put(stateKey('zzz'), utf8('?')));
    const found = await verify(ledger.directory);
    expect(found.findings).toMatchObject([
      { code: 'verify-state-differs', repair: expect.stringContaining('from a snapshot on') as string },
    ]);
    expect(await verify(ledger.directory, '--repair')).toMatchObject({ repaired: true, remaining: [] });
    expect(await contentOf(ledger)).toEqual(before);
  });

  test('the rows of a projection, and says of some that they lose what was before', async () => {
    const ledger = await copied();
    const rowsOf = async (name: string) =>
      [...(await contentOf(ledger))].filter(([key]) => key.startsWith(toHex(utf8(`P:${name}`)))).map(([, row]) => row);
    const before = await rowsOf('node-data');
    const told = await rowsOf('node-history');
    await write(ledger, put(projectionKey(utf8('@node-data')), utf8('?')));
    await write(ledger, put(projectionKey(utf8('@node-history')), utf8('?')));
    const found = await run(['verify', '--data', 'data'], ledger.directory);
    expect(found.out).toContain('--repair would: build it from a snapshot and the blocks behind it\n');
    expect(found.out).toContain('what it tells of blocks before goes');
    expect(await verify(ledger.directory, '--repair')).toMatchObject({ repaired: true, remaining: [] });
    expect(await rowsOf('node-data')).toEqual(before);
    expect((await rowsOf('node-history')).length).toBe(told.length);
  });

  test('which is refused where none is left', async () => {
    const ledger = await copied();
    await write(ledger, put(stateKey(nodeKey(peerOf(2))), utf8('?')));
    const damaged = await contentOf(ledger);
    await rm(ledger.folder.directory, { recursive: true });
    const refused = await run(['verify', '--data', 'data', '--repair'], ledger.directory);
    expect(refused.code).toBe('replay-from-snapshot');
    expect(await contentOf(ledger)).toEqual(damaged);
  });
});

describe('of a member of a Raft cluster', () => {
  const META = { lastIndex: 2, lastTerm: 1, configuration: { index: 0, configuration: { servers: [] } } };

  async function member() {
    const cluster = new Cluster();
    const directory = await temporaryDirectory();
    await writeFile(join(directory, 'genesis.json'), formatGenesis(cluster.genesis));
    const dataDirectory = join(directory, 'data');
    const store = await LevelStore.open(ledgerDirectory(dataDirectory), { create: true });
    await Member.open(cluster, store);
    const folder = join(dataDirectory, 'raft', 'snapshots');
    const files = await SnapshotFiles.open({ folder, maxBytes: 1000, reserveBytes: 0 });
    const state = (async function* () {
      yield utf8('a state');
    })();
    const stored = await files.write(META, state, null);
    const { log } = await openRaft(store);
    const persist = {
      kind: 'persist' as const,
      persist: 1,
      hardState: null,
      truncateFrom: null,
      entries: commands(1, 5),
    };
    const records = [hardStateOp({ term: 1, votedFor: null }), snapshotOp(stored), appliedOp({ index: 4, term: 1 })];
    await store.batch([...log.persistOps(persist), ...records], { sync: false });
    await store.close();
    return { directory, config: { dataDirectory }, file: join(folder, stored.file) };
  }

  const damage = (place: Awaited<ReturnType<typeof member>>, ...operations: StoreOperation[]) =>
    inStore(place.config.dataDirectory, (store) => store.batch(operations, { sync: false }));

  test('the log and the snapshot are read to their ends', async () => {
    const { directory } = await member();
    expect(await verify(directory)).toMatchObject({ findings: [], checked: { raftEntries: 5 } });
  });

  test.each([
    ['an entry that is damaged', put(raftEntryKey(3), utf8('?'))],
    ['an entry that is missing', { kind: 'delete' as const, key: raftEntryKey(3) }],
    ['term and vote that are damaged', put(RAFT_HARD_STATE_KEY, utf8('?'))],
    ['term and vote that are gone', { kind: 'delete' as const, key: RAFT_HARD_STATE_KEY }],
    ['more that was applied than is there', appliedOp({ index: 9, term: 1 })],
  ])('%s is found', async (_, operation) => {
    const place = await member();
    await damage(place, operation);
    const { remaining } = await verify(place.directory, '--repair');
    expect(remaining).toMatchObject([{ code: 'verify-raft-log-damaged', repair: null }]);
  });

  test.each([
    ['changed', (file: string) => writeFile(file, 'b state')],
    ['gone', (file: string) => unlink(file)],
  ])('a snapshot that is %s is found', async (_, change) => {
    const { directory, file } = await member();
    await change(file);
    expect(await verify(directory)).toMatchObject({
      findings: [{ code: 'verify-raft-snapshot-damaged', details: { lastIndex: 2 }, repair: null }],
    });
  });
});
