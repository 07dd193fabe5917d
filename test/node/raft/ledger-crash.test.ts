import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { fromHex, toHex } from '../../../src/base/bytes.ts';
import { ENTRY_TYPES, type Entry } from '../../../src/raft/messages.ts';
import type { Store } from '../../../src/store/store.ts';
import { peerOf } from '../../ledger/nodes.ts';
import { Cluster, legacyCommand, nodeDataJson } from '../../ledger/raft-cluster.ts';
import { instantStore, SimulatedDisk } from '../../simulator/simulated-disk.ts';
import { entry, inPieces, Member } from './member.ts';

class ProcessEnded extends Error {}

/** The disk as a process sees it that ends before its batch of this number is written, or right after. */
function endingStore(disk: SimulatedDisk, batches: number, isWritten: boolean): Store {
  const store = instantStore(disk);
  let left = batches;
  return {
    ...store,
    async batch(operations, options) {
      if (left-- > 0) return store.batch(operations, options);
      if (isWritten) await store.batch(operations, options);
      disk.powerCut(Infinity);
      throw new ProcessEnded();
    },
  };
}

/** @returns whether it ended before it was done */
async function endsOf(work: () => Promise<void>): Promise<boolean> {
  try {
    await work();
    return false;
  } catch (error) {
    if (error instanceof ProcessEnded) return true;
    throw error;
  }
}

function contentOf(disk: SimulatedDisk): readonly string[] {
  return Array.from(disk.entries({}), ([key, value]) => `${toHex(key)}=${toHex(value)}`);
}

function someLog(cluster: Cluster): readonly Entry[] {
  const command = (index: number, data: Uint8Array) => entry(index, ENTRY_TYPES.command, data);
  return [
    command(1, legacyCommand(peerOf(1), nodeDataJson(1))),
    command(2, legacyCommand('colour', '"blue"')),
    entry(3, ENTRY_TYPES.noop, cluster.baseData()),
    command(4, cluster.command(cluster.join(2), cluster.join(3))),
    entry(5, ENTRY_TYPES.noop, Uint8Array.of(1)),
    command(6, legacyCommand('colour', '"red"')),
    command(7, cluster.command(cluster.join(4), cluster.join(2, 2))),
  ];
}

async function applyAll(store: Store, cluster: Cluster, log: readonly Entry[], perBatch: number): Promise<void> {
  const member = await Member.open(cluster, store);
  while (member.applied < log.length) await member.apply(log.slice(member.applied, member.applied + perBatch));
}

describe('a member whose process ends between any two batches', () => {
  test.each([
    [1, false],
    [1, true],
    [3, false],
    [3, true],
  ])('of %i entries, written: %s, loses nothing and applies nothing twice', async (perBatch, isWritten) => {
    const cluster = new Cluster();
    const log = someLog(cluster);
    const whole = new SimulatedDisk();
    await applyAll(instantStore(whole), cluster, log, perBatch);
    let ends = 0;
    for (let batches = 0; ; batches++) {
      const disk = new SimulatedDisk();
      const ended = await endsOf(() => applyAll(endingStore(disk, batches, isWritten), cluster, log, perBatch));
      await applyAll(instantStore(disk), cluster, log, perBatch);
      expect(contentOf(disk)).toEqual(contentOf(whole));
      if (!ended) break;
      ends++;
    }
    expect(ends).toBeGreaterThanOrEqual(log.length / perBatch);
  });

  test.each([false, true])(
    'of a snapshot, written: %s, has the old state or takes the snapshot again',
    async (isWritten) => {
      const cluster = new Cluster();
      const source = await Member.open(cluster);
      const log = someLog(cluster);
      await source.apply(log);
      const snapshot = await source.snapshot();
      const restoreInto = async (store: Store) => {
        const member = await Member.open(cluster, store);
        await member.restore(inPieces(snapshot, 300), log.length);
      };
      const prepared = async () => {
        const disk = new SimulatedDisk();
        await applyAll(instantStore(disk), cluster, log.slice(0, 4), 1);
        return disk;
      };
      const whole = await prepared();
      await restoreInto(instantStore(whole));
      const found = new Set<boolean>();
      for (let batches = 0; ; batches++) {
        const disk = await prepared();
        const ended = await endsOf(() => restoreInto(endingStore(disk, batches, isWritten)));
        const after = await Member.open(cluster, instantStore(disk));
        if (after.ledger.isRestoring) expect(() => after.applyInMemory(log.slice(4))).toThrow('a whole state');
        found.add(after.ledger.isRestoring);
        await restoreInto(instantStore(disk));
        expect(contentOf(disk)).toEqual(contentOf(whole));
        if (!ended) break;
      }
      expect(found).toEqual(new Set([true, false]));
    },
  );
});

interface CapturedSnapshot {
  readonly snapshot: string;
  readonly canonical: string;
}

test('a snapshot before BASE is byte for byte what the real Go program writes of the same map', async () => {
  const file = new URL('../../vectors/go-json/snapshots.json', import.meta.url);
  const captured = JSON.parse(readFileSync(file, 'utf8')) as readonly CapturedSnapshot[];
  expect(captured.length).toBeGreaterThan(50);
  for (const { canonical, snapshot } of captured) {
    const member = await Member.open(new Cluster());
    await member.restore(inPieces(fromHex(snapshot) as Uint8Array, 11), 1);
    expect(toHex(await member.snapshot())).toBe(canonical);
  }
});
