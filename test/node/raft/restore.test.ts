/** A snapshot takes the place of state and log: wherever the process ends within, it begins again with the same snapshot. */
import { expect, test } from 'vitest';
import { concatBytes, utf8 } from '../../../src/base/bytes.ts';
import { codedError } from '../../../src/base/result.ts';
import { historyOf } from '../../../src/raft/history.ts';
import { appliedOp, historyOp, openRaft, type StoredRaft } from '../../../src/node/raft/log-store.ts';
import { openServer } from '../../../src/node/raft/open-server.ts';
import { replaceState } from '../../../src/node/raft/snapshotting.ts';
import type { Application, StateMachine } from '../../../src/node/raft/state-machine.ts';
import type { StoredSnapshot } from '../../../src/raft/stored-records.ts';
import type { StoreOperation } from '../../../src/store/store.ts';
import { MemoryDisk, MemoryStore } from '../../store/memory-store.ts';
import { configurationCodec } from '../../../src/raft/wire/configuration-codec.ts';
import { commands } from './entries.ts';
import { MemorySnapshots } from './memory-snapshots.ts';

const KEYS = 5;
const keyOf = (i: number) => utf8(`Xkey ${i}`);

/** Its state is some keys of one value each; a snapshot is that value, and is restored a key at a time. */
class KeysMachine implements StateMachine<null> {
  value = 'old';

  apply(): Application<null> {
    return { operations: [], outcomes: [] };
  }

  async snapshot(): Promise<AsyncIterable<Uint8Array>> {
    return stream(utf8(this.value));
  }

  async *restore(snapshot: AsyncIterable<Uint8Array>): AsyncIterable<readonly StoreOperation[]> {
    const pieces: Uint8Array[] = [];
    for await (const piece of snapshot) pieces.push(piece);
    const value = concatBytes(...pieces);
    this.value = new TextDecoder().decode(value);
    if (this.value === 'malformed at once') throw codedError('snapshot-malformed', 'at once');
    for (let i = 0; i < KEYS; i++) {
      yield [{ kind: 'put', key: keyOf(i), value }];
      if (this.value === 'malformed later') throw codedError('snapshot-malformed', 'later');
    }
  }
}

async function* stream(...pieces: readonly Uint8Array[]): AsyncIterable<Uint8Array> {
  yield* pieces;
}

function stateIn(disk: MemoryDisk): readonly string[] {
  const store = new MemoryStore(disk);
  return Array.from({ length: KEYS }, (_, i) => new TextDecoder().decode(store.get(keyOf(i))));
}

const ALL_OLD = Array.from({ length: KEYS }, () => 'old');
const ALL_NEW = Array.from({ length: KEYS }, () => 'new');

/** A store with a log of 3000 entries and the old state, and a snapshot of the new state at 5000. */
async function prepared(state = 'new') {
  const disk = new MemoryDisk();
  const store = new MemoryStore(disk);
  const { log } = await openRaft(store);
  const hardState = { term: 1, votedFor: null };
  await store.batch([
    ...log.persistOps({ kind: 'persist', persist: 1, hardState, truncateFrom: null, entries: commands(1, 3000) }),
    ...Array.from({ length: KEYS }, (_, i) => ({ kind: 'put', key: keyOf(i), value: utf8('old') }) as const),
    appliedOp({ index: 3000, term: 1 }),
  ]);
  const snapshots = new MemorySnapshots();
  const configuration = { index: 1, configuration: { servers: [] } };
  const snapshot = await snapshots.write({ lastIndex: 5000, lastTerm: 1, configuration }, stream(utf8(state)), null);
  return { disk, store, log, snapshots, snapshot };
}

/** The disk as it was after each batch. */
async function imagesOfRestoring({
  disk,
  store,
  log,
  snapshots,
  snapshot,
}: {
  disk: MemoryDisk;
  store: MemoryStore;
  log: StoredRaft['log'];
  snapshots: MemorySnapshots;
  snapshot: StoredSnapshot;
}): Promise<MemoryDisk[]> {
  const images = [copyOf(disk)];
  await replaceState(snapshot, {
    log,
    machine: new KeysMachine(),
    snapshots,
    write: async ({ operations }) => {
      await store.batch(operations);
      images.push(copyOf(disk));
    },
  });
  return images;
}

function copyOf(disk: MemoryDisk): MemoryDisk {
  const copy = new MemoryDisk();
  for (const [key, value] of disk.entries) copy.entries.set(key, value);
  return copy;
}

test('wherever it is cut off, all of the old or all of the new is there after the next start', async () => {
  const parts = await prepared();
  const images = await imagesOfRestoring(parts);
  // The mark, a key at a time, the log in pieces, and the end.
  expect(images.length).toBe(1 + 1 + KEYS + 3 + 1);
  for (const [at, image] of images.entries()) {
    const store = new MemoryStore(image);
    const opened = await openServer({
      codec: configurationCodec,
      pinnedHistory: null,
      machine: new KeysMachine(),
      snapshots: parts.snapshots,
      store,
    });
    if (at === 0) {
      expect(stateIn(image)).toEqual(ALL_OLD);
      expect(opened).toMatchObject({ applied: { index: 3000 }, snapshot: null });
    } else {
      expect(stateIn(image), `after batch ${at}`).toEqual(ALL_NEW);
      expect(opened).toMatchObject({ applied: { index: 5000 }, snapshot: { lastIndex: 5000 } });
      expect([opened.log.firstIndex, opened.log.lastIndex]).toEqual([5001, 5000]);
      // Whoever knows no history of its own takes no other snapshot.
      expect(opened.history).toMatchObject({ origin: 'snapshot', index: 5000, shared: true });
      expect((await openRaft(store)).history).toEqual(opened.history);
    }
    expect((await openRaft(store)).restoring).toBeNull();
  }
});

test.each([
  ['a server that began with others holds what they hold', ['a', 'b', 'c'], true],
  ['one that began alone may have taken its snapshot alone', ['a'], false],
])('behind a restore whose end nobody noted, %s', async (_, ids, shared) => {
  const parts = await prepared();
  const servers = ids.map((id) => ({ id, address: id, suffrage: 'voter' }) as const);
  await parts.store.batch([historyOp(historyOf(commands(1, 1)[0]!, servers, false))]);
  const last = (await imagesOfRestoring(parts)).at(-1)!;
  const opened = await openServer({
    codec: configurationCodec,
    pinnedHistory: null,
    machine: new KeysMachine(),
    snapshots: parts.snapshots,
    store: new MemoryStore(last),
  });
  expect(opened.history).toMatchObject({ origin: 'entry', shared });
  expect((await openRaft(new MemoryStore(last))).history).toEqual(opened.history);
});

test('a restore that is cut off again and again ends all the same', async () => {
  const parts = await prepared();
  const [, marked] = await imagesOfRestoring(parts);
  let image = marked!;
  for (let round = 0; round < 3; round++) {
    const store = new MemoryStore(image);
    const { log, restoring } = await openRaft(store);
    image = (await imagesOfRestoring({ ...parts, disk: image, store, log, snapshot: restoring! }))[3 + round]!;
  }
  const store = new MemoryStore(image);
  await openServer({
    codec: configurationCodec,
    pinnedHistory: null,
    machine: new KeysMachine(),
    snapshots: parts.snapshots,
    store,
  });
  expect(stateIn(image)).toEqual(ALL_NEW);
});

test('a snapshot that the machine will not take at all changes nothing', async () => {
  const parts = await prepared('malformed at once');
  const { disk, log, snapshot, snapshots, store } = parts;
  const write = ({ operations }: { operations: readonly StoreOperation[] }) => store.batch(operations);
  const refusal = await replaceState(snapshot, { log, machine: new KeysMachine(), snapshots, write });
  expect(refusal).toMatchObject({ code: 'snapshot-malformed' });
  expect(stateIn(disk)).toEqual(ALL_OLD);
  expect(log.lastIndex).toBe(3000);
});

test('a snapshot that turns out malformed half way stops the server, now and at the next start', async () => {
  const { log, snapshot, snapshots, store } = await prepared('malformed later');
  const write = ({ operations }: { operations: readonly StoreOperation[] }) => store.batch(operations);
  const machine = new KeysMachine();
  await expect(replaceState(snapshot, { log, machine, snapshots, write })).rejects.toMatchObject({
    code: 'snapshot-malformed',
  });
  const opening = openServer({ codec: configurationCodec, pinnedHistory: null, machine, snapshots, store });
  await expect(opening).rejects.toMatchObject({ code: 'snapshot-malformed' });
});
