import { cp } from 'node:fs/promises';
import { expect, onTestFinished, test } from 'vitest';
import { parseConfig } from '../../../src/node/config.ts';
import type { HeldHeight } from '../../../src/node/projections/node-projections.ts';
import { openSnapshot, verifyChunks } from '../../../src/node/snapshot/open-snapshot.ts';
import { SnapshotService } from '../../../src/node/snapshot/snapshot-service.ts';
import { snapshotInFolder } from '../../../src/node/snapshot/snapshot-source.ts';
import { SealedChain } from '../../ledger/chain.ts';
import { START } from '../../ledger/nodes.ts';
import { followingLedger } from '../opened.ts';
import { silentLog } from '../silent-log.ts';

/** A node's snapshots beside a ledger that commits a join a block. */
async function running(settings: object) {
  const chain = new SealedChain();
  const { commit, directory, ledger } = await followingLedger(chain);
  const { pruning, snapshots } = parseConfig({ genesis: 'genesis.json', dataDirectory: directory, ...settings });
  const projections: { held: HeldHeight | null } = { held: null };
  const start = async (): Promise<SnapshotService> => {
    const started = new SnapshotService({
      config: { dataDirectory: directory, pruning, snapshots },
      ledger,
      log: silentLog,
      nowMs: () => START * 1000,
      projected: () => projections.held ?? { height: ledger.log.head().height, waitsFor: 'nothing' },
    });
    await started.start();
    onTestFinished(() => started.close());
    return started;
  };
  const service = await start();
  const commitTo = async (height: number): Promise<void> => {
    while (chain.head.header.height < height) {
      await commit([chain.join(chain.head.header.height + 1)]);
      service.committed(chain.head.header.height, chain.head.header.height);
    }
  };
  const verified = async (height: number): Promise<number> => {
    const snapshot = await openSnapshot(await snapshotInFolder(service.folder, height), chain.genesis);
    return verifyChunks(snapshot, 1, () => undefined);
  };
  return { chain, commitTo, ledger, projections, service, start, verified };
}

test('a snapshot is of the height that is due, though more was committed before it began', async () => {
  const { chain, commitTo, service, verified } = await running({ snapshots: { everyBlocks: 4 } });
  await commitTo(4);
  const entries = chain.backing.entries.size;
  await commitTo(7);
  await service.idle();
  expect(await service.folder.heights()).toEqual([4]);
  expect(await verified(4)).toBe(entries);
});

test('it is of that height however many blocks are committed before its thread has begun', async () => {
  const { chain, commitTo, ledger, service, verified } = await running({ snapshots: { everyBlocks: 0 } });
  await commitTo(4);
  const entries = chain.backing.entries.size;
  const made = service.create();
  await commitTo(100);
  expect(await made).toMatchObject({ height: 4 });
  expect(await verified(4)).toBe(entries);
  await service.idle();
  await commitTo(101);
  expect(ledger.machine.oldestHeldHeight).toBe(38);
});

test('one is made at a time, and once a height, on request', async () => {
  const { chain, commitTo, service, verified } = await running({ snapshots: { everyBlocks: 0 } });
  await commitTo(3);
  const made = service.create();
  await expect(service.create()).rejects.toMatchObject({ code: 'snapshot-busy' });
  expect(await made).toMatchObject({ height: 3, stateRoot: chain.machine.head.stateRoot });
  expect(await verified(3)).toBe(chain.backing.entries.size);
  await service.idle();
  await expect(service.create()).rejects.toMatchObject({ code: 'snapshot-exists' });
});

test('behind the newest the blocks go that the policy does not want, and older snapshots', async () => {
  const { commitTo, ledger, service } = await running({
    snapshots: { everyBlocks: 0, keep: 1 },
    pruning: { policy: 'keepBlocks', keepBlocks: 3 },
  });
  await commitTo(5);
  await service.create();
  await service.idle();
  expect(ledger.log.floor()).toBe(3);
  await commitTo(9);
  await service.create();
  await service.idle();
  expect([await service.folder.heights(), ledger.log.floor()]).toEqual([[9], 7]);
});

test('a node that stops gives up what is being made, and leaves nothing of it', async () => {
  const { commitTo, service } = await running({ snapshots: { everyBlocks: 0 } });
  await commitTo(2);
  const made = service.create();
  const ended = expect(made).rejects.toMatchObject({ code: 'snapshot-stopped' });
  await service.close();
  await ended;
  expect(await service.folder.heights()).toEqual([]);
});

const KEEP_3 = { snapshots: { everyBlocks: 0, keep: 1 }, pruning: { policy: 'keepBlocks', keepBlocks: 3 } };

test('blocks that projections want stay, which is told, and go with the first commit that finds them through', async () => {
  const { commitTo, ledger, projections, service } = await running(KEEP_3);
  await commitTo(8);
  expect(service.pruningWaitsFor()).toBe('there is no snapshot to drop blocks behind');
  projections.held = { height: -1, waitsFor: 'the projection node-data is stale' };
  await service.create();
  await service.idle();
  expect([ledger.log.floor(), service.pruningWaitsFor()]).toEqual([0, 'the projection node-data is stale']);
  projections.held = { height: 2, waitsFor: 'the projection node-data is at height 2' };
  await commitTo(9);
  await service.idle();
  expect([ledger.log.floor(), service.pruningWaitsFor()]).toEqual([0, 'the projection node-data is at height 2']);
  projections.held = null;
  await commitTo(10);
  await service.idle();
  // The newest three of ten, and never above the snapshot.
  expect([ledger.log.floor(), service.pruningWaitsFor()]).toEqual([8, null]);
});

test('what a crash kept from going goes after the next start: older snapshots at once, blocks with the first commit', async () => {
  const { commitTo, ledger, projections, service, start } = await running(KEEP_3);
  await commitTo(8);
  projections.held = { height: -1, waitsFor: 'a crash' };
  await service.create();
  await service.idle();
  await cp(service.folder.pathOf(8), service.folder.pathOf(5), { recursive: true });
  projections.held = null;
  const again = await start();
  expect(await again.folder.heights()).toEqual([8]);
  expect(ledger.log.floor()).toBe(0);
  await commitTo(9);
  again.committed(9, 9);
  await again.idle();
  expect(ledger.log.floor()).toBe(7);
});
