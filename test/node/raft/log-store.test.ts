import { beforeEach, expect, test } from 'vitest';
import type { CodedError } from '../../../src/base/result.ts';
import { RAFT_LOG_KEY, raftEntryKey } from '../../../src/ledger/layout.ts';
import {
  appliedOp,
  historyOp,
  openRaft,
  restoringOp,
  snapshotOp,
  type PersistEffect,
  type StoredRaft,
} from '../../../src/node/raft/log-store.ts';
import { ENTRY_TYPES, type Entry } from '../../../src/raft/messages.ts';
import type { HistoryRecord, StoredSnapshot } from '../../../src/raft/stored-records.ts';
import { sha256Hex } from '../../../src/base/hash.ts';
import { utf8 } from '../../../src/base/bytes.ts';
import { everyFlip, flipped } from '../../flipped.ts';
import { MemoryStore } from '../../store/memory-store.ts';
import { command, commands } from './entries.ts';

let store: MemoryStore;
let raft: StoredRaft;

beforeEach(async () => {
  store = new MemoryStore();
  raft = await openRaft(store);
});

function persist(parts: Partial<PersistEffect>): Promise<void> {
  const effect = { kind: 'persist', persist: 1, hardState: null, truncateFrom: null, entries: [], ...parts } as const;
  return store.batch(raft.log.persistOps(effect));
}

const logged = () => Array.from({ length: raft.log.lastIndex + 2 }, (_, index) => raft.log.entry(index)?.data);
const textOf = (data: Uint8Array | null | undefined) => (data ? new TextDecoder().decode(data) : undefined);

async function codeOfOpening(): Promise<string> {
  return openRaft(store).then(
    () => 'ok',
    (error: CodedError) => error.code,
  );
}

const snapshotAt = (lastIndex: number, lastTerm = 1): StoredSnapshot => ({
  lastIndex,
  lastTerm,
  configuration: { index: 1, configuration: { servers: [{ id: 'a', address: 'a:1', suffrage: 'voter' }] } },
  sizeBytes: 3,
  checksum: new Uint8Array(32),
  file: 'a file',
});

const HARD_STATE = { term: 1, votedFor: 'a:1' };

test('a new store holds an empty log, no term, and nothing applied', () => {
  expect(raft).toMatchObject({
    hardState: { term: 0, votedFor: null },
    snapshot: null,
    restoring: null,
    applied: { index: 0, term: 0 },
    history: null,
    configurationEntries: [],
  });
  expect([raft.log.firstIndex, raft.log.lastIndex]).toEqual([1, 0]);
  expect(raft.log.entry(1)).toBeUndefined();
});

test('what was persisted is there after opening again', async () => {
  await persist({ hardState: HARD_STATE, entries: commands(1, 5) });
  raft = await openRaft(store);
  expect(raft.hardState).toEqual(HARD_STATE);
  expect([raft.log.firstIndex, raft.log.lastIndex]).toEqual([1, 5]);
  expect(raft.log.entry(3)).toEqual(command(3));
  expect([raft.log.entry(0), raft.log.entry(6)]).toEqual([undefined, undefined]);
});

test('a persist that cuts and grows the log leaves nothing of what was cut', async () => {
  await persist({ hardState: HARD_STATE, entries: commands(1, 9) });
  await persist({ hardState: { term: 2, votedFor: null }, truncateFrom: 4, entries: commands(4, 5, 2) });
  raft = await openRaft(store);
  expect(raft.log.lastIndex).toBe(5);
  expect(logged().map(textOf)).toEqual([undefined, ...[1, 2, 3, 4, 5].map((i) => `command ${i}`), undefined]);
  expect(raft.log.entry(4)?.term).toBe(2);
  for (let index = 6; index < 10; index++) expect(store.get(raftEntryKey(index))).toBeUndefined();
});

test('a persist that only cuts leaves the shorter log', async () => {
  await persist({ hardState: HARD_STATE, entries: commands(1, 9) });
  await persist({ truncateFrom: 4 });
  raft = await openRaft(store);
  expect(raft.log.lastIndex).toBe(3);
});

test('a log is compacted from the front in bounded pieces, each of which leaves a whole log', async () => {
  await persist({ hardState: HARD_STATE, entries: commands(1, 10) });
  await store.batch([snapshotOp(snapshotAt(9)), appliedOp({ index: 9, term: 1 })]);
  const pieces: number[] = [];
  for (;;) {
    const operations = raft.log.compactOps(8, 3);
    if (operations.length === 0) break;
    await store.batch(operations);
    pieces.push(raft.log.firstIndex);
    expect((await openRaft(store)).log.firstIndex).toBe(raft.log.firstIndex);
  }
  expect(pieces).toEqual([4, 7, 9]);
  expect([raft.log.entry(8), raft.log.entry(9)?.index]).toEqual([undefined, 9]);
});

test('a log begins again behind a snapshot that came from elsewhere', async () => {
  await persist({ hardState: HARD_STATE, entries: commands(1, 3) });
  await store.batch(raft.log.compactOps(3, 100));
  await store.batch([...raft.log.restartOps(20), snapshotOp(snapshotAt(20)), appliedOp({ index: 20, term: 1 })]);
  await persist({ entries: commands(21, 22) });
  raft = await openRaft(store);
  expect([raft.log.firstIndex, raft.log.lastIndex, raft.snapshot?.lastIndex]).toEqual([21, 22, 20]);
});

test('the configurations of the log are found at opening, whatever else is in it', async () => {
  const configuration = (index: number, type: Entry['type']): Entry => ({ ...command(index), type });
  const entries = [
    configuration(1, ENTRY_TYPES.removePeer),
    ...commands(2, 3),
    configuration(4, ENTRY_TYPES.configuration),
    configuration(5, ENTRY_TYPES.addPeer),
    { ...command(6), type: ENTRY_TYPES.noop },
  ];
  await persist({ hardState: HARD_STATE, entries });
  raft = await openRaft(store);
  expect(raft.configurationEntries.map(({ index }) => index)).toEqual([1, 4, 5]);
});

test('history, applied index and a restore under way are kept', async () => {
  const history: HistoryRecord = {
    origin: 'entry',
    index: 1,
    term: 1,
    hash: sha256Hex(utf8('x')),
    servers: snapshotAt(1).configuration.configuration.servers,
    shared: false,
  };
  await persist({ hardState: HARD_STATE, entries: commands(1, 2) });
  await store.batch([historyOp(history), appliedOp({ index: 2, term: 1 }), restoringOp(snapshotAt(9))]);
  raft = await openRaft(store);
  expect(raft).toMatchObject({ history, applied: { index: 2 }, restoring: { lastIndex: 9 } });
  await store.batch([restoringOp(null)]);
  expect((await openRaft(store)).restoring).toBeNull();
});

test('a log with an entry missing, at an end or in the middle, does not open', async () => {
  await persist({ hardState: HARD_STATE, entries: commands(1, 5) });
  for (const index of [1, 3, 5]) {
    const key = raftEntryKey(index);
    const value = store.get(key)!;
    await store.batch([{ kind: 'delete', key }]);
    expect(await codeOfOpening()).toBe('store-corrupt');
    await store.batch([{ kind: 'put', key, value }]);
  }
  expect(await codeOfOpening()).toBe('ok');
  await store.batch([{ kind: 'put', key: raftEntryKey(6), value: store.get(raftEntryKey(5))! }]);
  expect(await codeOfOpening()).toBe('store-corrupt');
});

test('a flipped bit in an entry is told when it is read, and at opening', async () => {
  await persist({ hardState: HARD_STATE, entries: commands(1, 3) });
  const key = raftEntryKey(2);
  await store.batch([{ kind: 'put', key, value: flipped(store.get(key)!, 320) }]);
  expect(() => raft.log.entry(2)).toThrow(expect.objectContaining({ code: 'store-corrupt' }));
  expect(await codeOfOpening()).toBe('store-corrupt');
});

test('a flipped bit in a record is told at opening', async () => {
  await persist({ hardState: HARD_STATE, entries: commands(1, 3) });
  const whole = store.get(RAFT_LOG_KEY)!;
  for (const [bit, value] of everyFlip(whole).entries()) {
    await store.batch([{ kind: 'put', key: RAFT_LOG_KEY, value }]);
    expect(await codeOfOpening(), `bit ${bit}`).toBe('store-corrupt');
  }
});

test('records that do not agree with each other are refused', async () => {
  await persist({ entries: commands(1, 3) });
  expect(await codeOfOpening()).toBe('raft-log-inconsistent');
  await persist({ hardState: HARD_STATE });
  expect(await codeOfOpening()).toBe('ok');
  const cases = {
    'more was applied than the log holds': [appliedOp({ index: 4, term: 1 })],
    'less was applied than the snapshot holds': [appliedOp({ index: 1, term: 1 }), snapshotOp(snapshotAt(2))],
    'the log ends before the snapshot': [appliedOp({ index: 3, term: 1 }), snapshotOp(snapshotAt(4))],
    'a snapshot of a later term': [appliedOp({ index: 3, term: 1 }), snapshotOp(snapshotAt(3, 2))],
  };
  for (const [name, operations] of Object.entries(cases)) {
    await store.batch(operations);
    expect(await codeOfOpening(), name).toBe('raft-log-inconsistent');
  }
});

test('terms that fall along the log are refused', async () => {
  await persist({ hardState: { term: 3, votedFor: null }, entries: [command(1, 3), command(2, 2)] });
  expect(await codeOfOpening()).toBe('raft-log-inconsistent');
});

test('a log that begins behind its snapshot is refused', async () => {
  await persist({ hardState: HARD_STATE, entries: commands(1, 5) });
  await store.batch(raft.log.compactOps(3, 9));
  await store.batch([snapshotOp(snapshotAt(2)), appliedOp({ index: 5, term: 1 })]);
  expect(await codeOfOpening()).toBe('raft-log-inconsistent');
});
