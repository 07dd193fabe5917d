/** A majority is lost for ever: one server goes on with what it holds. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import { backUp, recoverServer } from '../../../src/node/raft/recover.ts';
import { openRaft, restoringOp } from '../../../src/node/raft/log-store.ts';
import { SnapshotFiles } from '../../../src/node/raft/snapshot-files.ts';
import { LevelStore } from '../../../src/store/level-store.ts';
import { RecorderMachine } from '../../interop/recorder-machine.ts';
import { configurationOf, eventually, TestCluster, type TestServer } from './cluster.ts';

let cluster: TestCluster;

beforeEach(async () => {
  cluster = await TestCluster.make();
});

afterEach(async () => {
  await cluster.stop();
});

const THREE = ['a', 'b', 'c'];

/** Three servers with some commands; two of them are gone. @returns the one that is left, stopped, and what it held */
async function leftAlone(commands: number): Promise<{ readonly id: string; readonly left: TestServer }> {
  for (const id of THREE) await cluster.start(id, THREE);
  const leader = await cluster.leader();
  for (let i = 0; i < commands; i++) expect(await leader.server.propose(utf8(`${i}`))).toMatchObject({ ok: true });
  const left = [...cluster.servers.values()].find(({ id }) => id !== leader.id)!;
  await eventually('it has all', () => left.machine.count === commands);
  for (const server of [...cluster.servers.values()]) await server.stop();
  return { id: left.id, left };
}

async function opened<T>(
  id: string,
  work: (parts: { store: LevelStore; snapshots: SnapshotFiles; machine: RecorderMachine }) => Promise<T>,
): Promise<T> {
  const directory = cluster.directoryOf(id);
  const store = await LevelStore.open(join(directory, 'ledger'));
  const folder = join(directory, 'raft', 'snapshots');
  const snapshots = await SnapshotFiles.open({ folder, maxBytes: 1 << 30, reserveBytes: 0 });
  try {
    return await work({ store, snapshots, machine: new RecorderMachine(store, 0) });
  } finally {
    await store.close();
  }
}

test('the server that is left leads a cluster of its own, with all that it held, and takes others in', async () => {
  const { id, left } = await leftAlone(50);
  const copy = await backUp(cluster.directoryOf(id));
  expect(await readdir(copy)).toEqual(await readdir(cluster.directoryOf(id)));
  const recovery = await opened(id, (parts) => recoverServer(id, configurationOf([id]), parts));
  expect(recovery.snapshot.configuration.configuration).toEqual(configurationOf([id]));
  expect(recovery.snapshot.lastIndex).toBe(left.server.status().lastIndex);
  const again = await cluster.start(id);
  await cluster.leader();
  expect([again.machine.count, again.machine.hash]).toEqual([50, left.machine.hash]);
  expect(again.server.status().configuration.configuration).toEqual(configurationOf([id]));
  expect(await again.server.propose(utf8('on'))).toMatchObject({ ok: true });
  await cluster.start('d');
  await again.server.changeConfiguration({ kind: 'addNonvoter', id: 'd', address: 'd' });
  await eventually('the other one has all', () => cluster.servers.get('d')?.machine.hash === again.machine.hash);
});

test('a second copy has another name', async () => {
  const { id } = await leftAlone(1);
  const directory = cluster.directoryOf(id);
  expect([await backUp(directory), await backUp(directory)]).toEqual([
    `${directory}.before-recovery-1`,
    `${directory}.before-recovery-2`,
  ]);
});

test('recovering is refused without data, for a configuration without this server, and in the middle of a restore', async () => {
  const { id } = await leftAlone(3);
  await cluster.start('e');
  await cluster.servers.get('e')!.stop();
  await opened('e', async (parts) => {
    await expect(recoverServer('e', configurationOf(['e']), parts)).rejects.toMatchObject({
      code: 'raft-nothing-to-recover',
    });
  });
  await opened(id, async (parts) => {
    await expect(recoverServer(id, configurationOf(['x']), parts)).rejects.toMatchObject({
      code: 'raft-unknown-server',
    });
    const recovery = await recoverServer(id, configurationOf([id]), parts);
    await parts.store.batch([restoringOp(recovery.snapshot)], { sync: true });
    await expect(recoverServer(id, configurationOf([id]), parts)).rejects.toMatchObject({
      code: 'raft-restore-unfinished',
    });
  });
});

test('wherever a recovery is cut off, it can be done again', async () => {
  const { id } = await leftAlone(20);
  await opened(id, async ({ machine, snapshots, store }) => {
    let left = 0;
    const failing = {
      get: (key: Uint8Array) => store.get(key),
      entries: (range: object) => store.entries(range),
      close: () => store.close(),
      batch: async (operations: Parameters<LevelStore['batch']>[0], options: { sync: boolean }) => {
        if (left-- <= 0) throw new Error('the process ends');
        await store.batch(operations, options);
      },
    };
    let cuts = 0;
    for (let writes = 0; ; writes++) {
      left = writes;
      const outcome = await recoverServer(id, configurationOf([id]), { machine, snapshots, store: failing }).then(
        () => 'done',
        (error: Error) => error.message,
      );
      if (outcome === 'done') break;
      expect(outcome).toBe('the process ends');
      cuts++;
    }
    expect(cuts).toBeGreaterThan(1);
    const { applied, log, snapshot } = await openRaft(store);
    expect([log.firstIndex, log.lastIndex, applied.index]).toEqual([
      snapshot!.lastIndex + 1,
      snapshot!.lastIndex,
      snapshot!.lastIndex,
    ]);
  });
});
