/**
 * A fixed set of nodes that say that they are there, for minutes, on a node that makes snapshots and drops blocks: what it
 * takes of the disk stays where it was. Real store, snapshots, projections and dropping; no consensus.
 */
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { VerifiedEvent } from '../../src/ledger/verified-event.ts';
import { parseConfig } from '../../src/node/config.ts';
import { SnapshotService } from '../../src/node/snapshot/snapshot-service.ts';
import { CATALOG } from '../../src/projections/catalog.ts';
import { Projector } from '../../src/projections/projector.ts';
import { SealedChain } from '../ledger/chain.ts';
import { peerOf } from '../ledger/nodes.ts';
import { followingLedger } from '../node/opened.ts';
import { silentLog } from '../node/silent-log.ts';

const NODES = 500;
const ROUNDS = Number(process.env['FLAT_DISK_ROUNDS'] ?? 60);
/** The logs of LevelDB and its two buffers have been full once. */
const WARM_UP_ROUNDS = Math.floor(ROUNDS / 3);
const BLOCKS_PER_ROUND = 10;
/** A heartbeat comes at the earliest a third of the window after the last. */
const SECONDS_PER_BLOCK = 1300;
const SETTINGS = {
  snapshots: { everyBlocks: 20, keep: 1 },
  pruning: { policy: 'keepBlocks', keepBlocks: 40 },
};
/**
 * Of the mean size in the first half. LevelDB gathers old rows for some twenty rounds and lets them go at once: the largest size
 * says when it was looked at, and the means of two halves differ by a quarter.
 */
const GROWTH_MAX = 0.5;
const MIB = 1 << 20;

test('the disk that a node takes stays flat under a policy', { timeout: 30 * 60_000 }, async () => {
  const chain = new SealedChain();
  const { commit, directory, ledger } = await followingLedger(chain);
  const { pruning, snapshots } = parseConfig({ genesis: 'genesis.json', dataDirectory: directory, ...SETTINGS });
  const { log, store } = ledger;
  const onStopped = (_: string, error: unknown): never => {
    throw error;
  };
  const projector = await Projector.open({ store, log, projections: CATALOG, onStopped });
  onTestFinished(() => projector.close());
  const projected = () => ({ height: Math.min(...projector.status().map(({ height }) => height)), waitsFor: 'rows' });
  const config = { dataDirectory: directory, pruning, snapshots };
  const service = new SnapshotService({ config, ledger, log: silentLog, nowMs: Date.now, projected });
  await service.start();
  onTestFinished(() => service.close());

  let blockBytes = 0;
  const block = async (events: readonly VerifiedEvent[]): Promise<void> => {
    const committed = await commit(events);
    const { events: told, header } = committed.block;
    projector.offer([{ header, events: told, changes: committed.changes }]);
    service.committed(header.height, header.height);
    blockBytes += log.sealedBytesAt(header.height)?.length ?? 0;
    chain.now += SECONDS_PER_BLOCK;
    chain.steps.length = 0;
  };
  const nodes = Array.from({ length: NODES }, (_, node) => node);
  await block(nodes.map((node) => chain.join(node)));
  const sizes: { readonly size: number; readonly blockBytes: number }[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    for (let i = 0; i < BLOCKS_PER_ROUND; i++) {
      const seq = 2 + round * BLOCKS_PER_ROUND + i;
      await block(nodes.map((node) => chain.event({ type: 'heartbeat', peerId: peerOf(node), seq })));
    }
    await projector.caughtUp();
    await service.idle();
    sizes.push({ size: await sizeOf(directory), blockBytes });
  }
  const mib = sizes.map(({ size }) => Math.round(size / MIB));
  console.log(`${ROUNDS * BLOCKS_PER_ROUND * NODES} events, ${Math.round(blockBytes / MIB)} MiB of blocks, MiB`, mib);

  const half = WARM_UP_ROUNDS + Math.floor((ROUNDS - WARM_UP_ROUNDS) / 2);
  const first = meanOf(sizes.slice(WARM_UP_ROUNDS, half));
  const second = meanOf(sizes.slice(half));
  expect(second / first, `MiB after each round: ${mib.join(' ')}`).toBeLessThan(1 + GROWTH_MAX);
  // A log that kept its blocks would have grown by more than that in the second half.
  expect(blockBytes - (sizes[half - 1]?.blockBytes ?? 0)).toBeGreaterThan(GROWTH_MAX * first);
  expect(log.floor()).toBeGreaterThan(log.head().height - 2 * SETTINGS.pruning.keepBlocks);
});

function meanOf(sizes: readonly { readonly size: number }[]): number {
  return sizes.reduce((sum, { size }) => sum + size, 0) / sizes.length;
}

/** Files may come and go meanwhile. */
async function sizeOf(directory: string): Promise<number> {
  let size = 0;
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) size += await sizeOf(path);
    else
      size += await lstat(path).then(
        (file) => file.size,
        () => 0,
      );
  }
  return size;
}
