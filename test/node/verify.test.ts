import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { concatBytes, toHex, utf8 } from '../../src/base/bytes.ts';
import { ZERO_HASH, type Hash } from '../../src/base/hash.ts';
import { makeBlock, encodeSealedBlock } from '../../src/ledger/block.ts';
import {
  bigEndian,
  blockKey,
  changesKey,
  HEAD_KEY,
  heightKey,
  IDENTITY_KEY,
  legacyValueKey,
  projectionKey,
  SAFETY_KEY,
  stateKey,
  uncommittedKey,
} from '../../src/ledger/layout.ts';
import { formatGenesis } from '../../src/ledger/genesis.ts';
import { nodeKey } from '../../src/ledger/state.ts';
import type { NodeConfig } from '../../src/node/config.ts';
import { ledgerDirectory } from '../../src/node/open-ledger.ts';
import { MAX_TOLD_OF_A_CODE } from '../../src/node/verify/finding.ts';
import { verifyDirectory, type VerifyReport } from '../../src/node/verify.ts';
import { nodeData } from '../../src/projections/node-data.ts';
import { rowKey } from '../../src/projections/row-key.ts';
import { pointerOps, Rows } from '../../src/projections/rows.ts';
import { ENTRY_TYPES } from '../../src/raft/messages.ts';
import { LevelStore } from '../../src/store/level-store.ts';
import type { StoreOperation } from '../../src/store/store.ts';
import { startFakeNode } from '../cli/fake-node.ts';
import { run } from '../cli/terminal.ts';
import { flipped } from '../flipped.ts';
import { SealedChain } from '../ledger/chain.ts';
import { peerOf } from '../ledger/nodes.ts';
import { Cluster, legacyCommand } from '../ledger/raft-cluster.ts';
import { entriesOf } from '../store/contract.ts';
import { KEYS, ledgerIn, signedJoin } from './ledger-directory.ts';
import { entry, Member } from './raft/member.ts';

const put = (key: Uint8Array, value: Uint8Array): StoreOperation => ({ kind: 'put', key, value });
const gone = (key: Uint8Array): StoreOperation => ({ kind: 'delete', key });
const record = stateKey(nodeKey(KEYS[1]?.peerId ?? ''));
const nothing = new Uint8Array(0);
/** Of the index: a height, and the check of a seal. */
const entryOf = (height: number) => concatBytes(bigEndian(height), new Uint8Array(32));

type Content = ReadonlyMap<string, string>;

async function contentOf({ dataDirectory }: Pick<NodeConfig, 'dataDirectory'>): Promise<Content> {
  const store = await LevelStore.open(ledgerDirectory(dataDirectory));
  const entries = await entriesOf(store, {});
  await store.close();
  return new Map(entries.map(([key, value]) => [toHex(key), toHex(value)]));
}

async function write(
  { dataDirectory }: Pick<NodeConfig, 'dataDirectory'>,
  operations: readonly StoreOperation[],
): Promise<void> {
  const store = await LevelStore.open(ledgerDirectory(dataDirectory));
  await store.batch(operations, { sync: false });
  await store.close();
}

async function verify(directory: string, ...flags: string[]) {
  const { code, exit, json } = await run(['verify', '--data', 'data', '--json', ...flags], directory);
  return { code, exit, report: json() as VerifyReport };
}

const codesOf = ({ findings }: VerifyReport): string[] => [...new Set(findings.map(({ code }) => code))].sort();

/** Every chain of these tests is the same one. */
const chain = new SealedChain();
for (const node of [0, 1, 2]) chain.commit([signedJoin(chain, node)]);
const idOf = (height: number): Hash => chain.sealedAt(height).block.id;

test('a whole directory has no findings, and nothing is written to it', async () => {
  const { config, directory } = await ledgerIn({ projected: true });
  const before = await contentOf(config);
  const { exit, report } = await verify(directory);
  expect({ exit, findings: report.findings }).toEqual({ exit: 0, findings: [] });
  expect(report).toMatchObject({ height: 3, firstHeight: 0, checked: { blocks: 4, events: 3, safetyRecord: false } });
  expect(await contentOf(config)).toEqual(before);
  expect((await run(['verify', '--config', 'config.json'], directory)).out).toMatch(/^findings +none$/m);
});

describe('what can be derived is found, told, and repaired byte for byte:', () => {
  const orphan = new Rows({ get: () => undefined } as never, 'node-data', 7);
  const cases: readonly (readonly [what: string, code: string, damage: () => readonly StoreOperation[]])[] = [
    ['a block that is not found by its id', 'verify-index-missing', () => [gone(heightKey(idOf(2)))]],
    ['an id that leads to another height', 'verify-index-wrong', () => [put(heightKey(idOf(2)), entryOf(1))]],
    ['a height that is no number', 'verify-index-wrong', () => [put(heightKey(idOf(2)), utf8('x'))]],
    ['an id without a block', 'verify-index-orphan', () => [put(heightKey(ZERO_HASH), entryOf(2))]],
    ['an id beyond the log', 'verify-index-orphan', () => [put(heightKey(ZERO_HASH), entryOf(99))]],
    ['a head that is gone', 'verify-head-damaged', () => [gone(HEAD_KEY)]],
    ['a head that does not decode', 'verify-head-damaged', () => [put(HEAD_KEY, utf8('?'))]],
    ['a record that was changed', 'verify-state-differs', () => [put(record, utf8('?'))]],
    ['a record that is gone', 'verify-state-differs', () => [gone(record)]],
    ['a record too many', 'verify-state-differs', () => [put(stateKey('zzz'), utf8('?')), put(stateKey('a'), nothing)]],
    [
      'a key of the state that is no text',
      'verify-state-differs',
      () => [put(concatBytes(utf8('S'), Uint8Array.of(0xff)), nothing)],
    ],
    ['changes beyond the log', 'verify-changes-orphan', () => [put(changesKey(9), nothing)]],
    [
      'rows that nothing points to',
      'verify-projection-orphan',
      () => orphan.writeOps([{ kind: 'put', key: rowKey('key'), value: utf8('row') }], 2),
    ],
  ];

  test.each(cases)('%s', async (_, code, damage) => {
    const { config, directory } = await ledgerIn({ projected: true });
    const before = await contentOf(config);
    await write(config, damage());
    const damaged = await contentOf(config);
    const found = await verify(directory);
    expect(found.exit).toBe(6);
    expect(codesOf(found.report)).toEqual([code]);
    expect(found.report.findings.every(({ repair }) => repair !== null)).toBe(true);
    // Nothing is written before it is asked for.
    await verify(directory, '--repair', '--dry-run');
    expect(await contentOf(config)).toEqual(damaged);
    const repaired = await verify(directory, '--repair');
    expect(repaired).toMatchObject({ exit: 0, report: { repaired: true, remaining: [] } });
    expect(await contentOf(config)).toEqual(before);
    expect((await readdir(config.dataDirectory)).sort()).toEqual(['layout', 'ledger']);
  });

  test('several of them at once', async () => {
    const { config, directory } = await ledgerIn({ projected: true });
    const before = await contentOf(config);
    await write(
      config,
      cases.filter(([, code]) => code !== 'verify-head-damaged').flatMap(([, , damage]) => damage()),
    );
    expect(await verify(directory, '--repair')).toMatchObject({ exit: 0, report: { remaining: [] } });
    expect(await contentOf(config)).toEqual(before);
  });
});

describe('of more damage than is told', () => {
  /** More blocks than findings of one code are told. */
  const LONG = { projected: true, emptyBlocks: 2 * MAX_TOLD_OF_A_CODE };
  const BLOCKS = LONG.emptyBlocks + 4;

  async function longLedger(damage: (id: Hash) => StoreOperation) {
    const { chain: long, config, directory } = await ledgerIn(LONG);
    const before = await contentOf(config);
    const heights = Array.from({ length: BLOCKS }, (_, height) => height);
    await write(
      config,
      heights.map((height) => damage(long.sealedAt(height).block.id)),
    );
    return { before, config, directory };
  }

  test('all is repaired at once, and counted', async () => {
    const { before, config, directory } = await longLedger((id) => gone(heightKey(id)));
    const { exit, report } = await verify(directory, '--repair');
    expect(report).toMatchObject({ counts: { 'verify-index-missing': BLOCKS }, remaining: [], remainingCounts: {} });
    expect([exit, report.findings.length]).toEqual([0, MAX_TOLD_OF_A_CODE]);
    expect(await contentOf(config)).toEqual(before);
  });

  test('an id that leads elsewhere is not taken for one too many, though it is not told', async () => {
    const { before, config, directory } = await longLedger((id) => put(heightKey(id), utf8('x')));
    await write(config, [put(heightKey(ZERO_HASH), entryOf(2))]);
    const { report } = await verify(directory, '--repair');
    expect(report).toMatchObject({ counts: { 'verify-index-wrong': BLOCKS, 'verify-index-orphan': 1 }, remaining: [] });
    expect(await contentOf(config)).toEqual(before);
  });

  test('what is more than memory is to hold is repaired in rounds', async () => {
    const { before, config } = await longLedger((id) => gone(heightKey(id)));
    const notes: string[] = [];
    const report = await verifyDirectory({
      dataDirectory: config.dataDirectory,
      genesis: chain.genesis,
      repair: true,
      threads: 1,
      maxRepairs: 130,
      onNote: (note) => notes.push(note),
      onProgress: () => undefined,
    });
    expect(report).toMatchObject({ counts: { 'verify-index-missing': BLOCKS }, repaired: true, remaining: [] });
    expect(notes.filter((note) => /^(and|looks)/.test(note))).toEqual([
      'and 30 more of these',
      'looks again',
      'looks again',
    ]);
    expect(await contentOf(config)).toEqual(before);
  });

  test('what cannot be repaired is counted, beside what was', async () => {
    const { config, directory } = await longLedger((id) => put(uncommittedKey(id), utf8('?')));
    await write(config, [gone(heightKey(idOf(2)))]);
    const { exit, report } = await verify(directory, '--repair');
    expect(report.remainingCounts).toEqual({ 'verify-uncommitted-damaged': BLOCKS });
    expect([exit, report.remaining.length]).toEqual([6, MAX_TOLD_OF_A_CODE]);
    await write(config, [gone(heightKey(idOf(2)))]);
    const told = await run(['verify', '--data', 'data', '--repair'], directory);
    expect(told.out).toMatch(new RegExp(`^${BLOCKS} findings are left$`, 'm'));
  });
});

describe('a projection is built from the log, row by row as it was, where', () => {
  const rows = (content: Content): string[] =>
    [...content].filter(([key]) => key.startsWith(toHex(utf8('P:node-data')))).map(([, row]) => row);

  test.each([
    ['its pointer is damaged', 'verify-projection-damaged', put(projectionKey(utf8('@node-data')), utf8('?'))],
    ['its cursor is ahead of the log', 'verify-projection-damaged', cursorAt(99)],
    ['it is behind what is kept', 'verify-projection-behind', cursorAt(1)],
  ])('%s', async (_, code, damage) => {
    const { config, directory } = await ledgerIn({ projected: true });
    const before = await contentOf(config);
    await write(config, [damage]);
    const found = await verify(directory);
    expect([found.exit, codesOf(found.report)]).toEqual([6, [code]]);
    expect(await verify(directory, '--repair')).toMatchObject({ exit: 0, report: { remaining: [] } });
    expect(rows(await contentOf(config))).toEqual(rows(before));
  });

  test('the changes that it waits for are damaged', async () => {
    const { config, directory } = await ledgerIn({ afterwards: [put(changesKey(2), utf8('?'))] });
    await write(config, [
      ...pointerOps('node-data', { version: nodeData.version, generation: 0 }),
      ...new Rows({} as never, 'node-data', 0).writeOps([], 1),
    ]);
    const found = await verify(directory);
    expect(codesOf(found.report)).toEqual(['verify-changes-damaged', 'verify-projection-behind']);
    expect(await verify(directory, '--repair')).toMatchObject({ exit: 0, report: { remaining: [] } });
    expect(rows(await contentOf(config)).length).toBeGreaterThan(3);
  });

  function cursorAt(height: number): StoreOperation {
    return new Rows({} as never, 'node-data', 0).writeOps([], height)[0] as StoreOperation;
  }
});

describe('what cannot be derived is named and never touched:', () => {
  const sealedOther = () => {
    const { block, seal } = chain.state.sealed;
    return encodeSealedBlock({ block: makeBlock({ ...block.header, height: 2, round: 9 }, []), seal });
  };

  test.each([
    ['a block that does not decode', 'verify-block-damaged', () => put(blockKey(2), utf8('?'))],
    [
      'a block of another height',
      'verify-block-damaged',
      () => put(blockKey(2), encodeSealedBlock(chain.state.sealed)),
    ],
    ['a block that is missing', 'verify-block-missing', () => gone(blockKey(2))],
    ['a block with another parent', 'verify-parent-differs', () => put(blockKey(2), sealedOther())],
    ['a seal that is not the one of the index', 'verify-seal-damaged', () => put(heightKey(idOf(2)), entryOf(2))],
    ['a last block that is missing', 'verify-head-elsewhere', () => gone(blockKey(3))],
    ['whose ledger it is', 'verify-identity-damaged', () => put(IDENTITY_KEY, utf8('?'))],
    ['a block that is not committed', 'verify-uncommitted-damaged', () => put(uncommittedKey(ZERO_HASH), utf8('?'))],
    ['the safety record', 'verify-safety-record-damaged', () => put(SAFETY_KEY, utf8('?'))],
  ])('%s', async (_, code, damage) => {
    const { config, directory } = await ledgerIn({ projected: true });
    const operation = damage();
    await write(config, [operation]);
    const { report, exit } = await verify(directory, '--repair');
    expect(exit).toBe(6);
    const finding = report.remaining.find((each) => each.code === code);
    expect(finding).toMatchObject({ repair: null });
    const after = (await contentOf(config)).get(toHex(operation.key));
    expect(after).toBe(operation.kind === 'put' ? toHex(operation.value) : undefined);
    const told = await run(['verify', '--data', 'data'], directory);
    expect(told.code).toBe('verify-found');
    expect(told.out).toMatch(new RegExp(`^${code}: .*\\n  cannot be derived: `, 'm'));
  });

  test('a file of the store, of which nothing else is read then', async () => {
    const { config, directory } = await ledgerIn({ projected: true });
    // Opening writes the log of the store to a table.
    await contentOf(config);
    const store = ledgerDirectory(config.dataDirectory);
    const table = join(store, (await readdir(store)).find((file) => file.endsWith('.ldb')) ?? '');
    await writeFile(table, flipped(new Uint8Array(await readFile(table)), 999));
    const before = await readdir(store);
    const { exit, report } = await verify(directory, '--repair');
    expect(exit).toBe(6);
    expect(report).toMatchObject({ height: null, findings: [{ code: 'verify-file-damaged', repair: null }] });
    expect(await readdir(store)).toEqual(before);
  });

  test('a store that LevelDB cannot open', async () => {
    const { config, directory } = await ledgerIn();
    await writeFile(join(ledgerDirectory(config.dataDirectory), 'CURRENT'), 'MANIFEST-999999\n');
    const { exit, report } = await verify(directory);
    expect(exit).toBe(6);
    expect(report.findings).toMatchObject([{ code: 'verify-store-unreadable', repair: null }]);
  });

  test('a log that does not replay to the state of its head, so that the state stays as it is', async () => {
    const { config, directory } = await ledgerIn({
      projected: true,
      block: (sealed) =>
        sealed.block.header.height === 2 ? { ...sealed, seal: chain.seal(chain.state.block) } : sealed,
    });
    await write(config, [put(record, utf8('?'))]);
    const damaged = await contentOf(config);
    expect(await run(['verify', '--data', 'data', '--repair'], directory)).toMatchObject({
      code: 'replay-seal-invalid',
    });
    expect(await contentOf(config)).toEqual(damaged);
  });
});

test('a member of a Raft cluster is checked too: where its ledger stands, and its older values before BASE', async () => {
  const cluster = new Cluster();
  const { directory } = await ledgerIn();
  await writeFile(join(directory, 'genesis.json'), formatGenesis(cluster.genesis));
  const store = await LevelStore.open(ledgerDirectory(join(directory, 'member')), { create: true });
  const member = await Member.open(cluster, store);
  await member.apply([entry(1, ENTRY_TYPES.command, legacyCommand('colour', '"blue"'))]);
  await store.close();
  const argv = ['verify', '--data', 'member', '--json'];
  expect((await run(argv, directory)).json()).toMatchObject({ height: null, findings: [] });
  await write({ dataDirectory: join(directory, 'member') }, [put(legacyValueKey('colour'), utf8('"green"'))]);
  expect((await run(argv, directory)).json()).toMatchObject({
    findings: [{ code: 'verify-standing-damaged', repair: null }],
  });
});

test('the state of a Raft member is made again from BASE', async () => {
  const cluster = new Cluster();
  const { directory } = await ledgerIn();
  await writeFile(join(directory, 'genesis.json'), formatGenesis(cluster.genesis));
  const dataDirectory = join(directory, 'member');
  const store = await LevelStore.open(ledgerDirectory(dataDirectory), { create: true });
  const member = await Member.open(cluster, store);
  await member.apply([
    entry(1, ENTRY_TYPES.command, legacyCommand('colour', '"blue"')),
    entry(2, ENTRY_TYPES.noop, cluster.baseData()),
    entry(3, ENTRY_TYPES.command, cluster.command(cluster.join(1), cluster.join(2))),
    entry(4, ENTRY_TYPES.command, legacyCommand('colour', '"red"')),
  ]);
  await store.close();
  const before = await contentOf({ dataDirectory });
  await write({ dataDirectory }, [put(stateKey(nodeKey(peerOf(1))), utf8('?'))]);
  const repaired = await run(['verify', '--data', 'member', '--json', '--repair'], directory);
  expect(repaired.json()).toMatchObject({ findings: [{ code: 'verify-state-differs' }], remaining: [] });
  expect(await contentOf({ dataDirectory })).toEqual(before);
});

test('a running node is left alone', async () => {
  const { directory } = await startFakeNode();
  await writeFile(join(directory, 'genesis.json'), await genesisText());
  const refused = await run(['verify', '--data', '.'], directory);
  expect(refused.code).toBe('node-already-running');
});

test('a directory without a store is no damaged one', async () => {
  const { directory } = await ledgerIn();
  const refused = await run(['verify', '--data', 'nothing', '--genesis', 'genesis.json'], directory);
  expect(refused).toMatchObject({ exit: 1, code: 'store-missing' });
});

async function genesisText(): Promise<string> {
  const { directory } = await ledgerIn();
  return readFile(join(directory, 'genesis.json'), 'utf8');
}
