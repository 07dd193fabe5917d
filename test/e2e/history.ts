/** Holds what was acknowledged against the chain itself, block by block, and against verified reads. */
import { onTestFinished } from 'vitest';
import type { Hash } from '../../src/base/hash.ts';
import { CodedError, unwrap } from '../../src/base/result.ts';
import { decodeSealedBlock, type Block } from '../../src/ledger/block.ts';
import type { ReaderTrust } from '../../src/ledger/verified-read.ts';
import { BlockSyncClient } from '../../src/net/block-sync.ts';
import { AddressBook } from '../../src/node/address-book.ts';
import { openLightReader, type LightReader } from '../../src/node/light-reader.ts';
import { eventually } from '../eventually.ts';
import type { TestNetwork } from './harness.ts';
import type { Acknowledgement } from './load.ts';
import { stranger } from './stranger.ts';

const DEADLINE = { deadlineMs: 10_000 };

/** Every block after genesis that a node has, from the node itself. */
export async function chainOf(network: TestNetwork, name: string): Promise<Block[]> {
  const client = BlockSyncClient.over(await stranger(network));
  const blocks: Block[] = [];
  for (;;) {
    // A busy machine may let an exchange go; it is begun again.
    const sealed = await eventually(`${name} gives its blocks from ${blocks.length + 1} on`, () =>
      client.sealed(network.target(name), blocks.length + 1, DEADLINE).then(unwrap, letGo),
    );
    if (sealed.length === 0) return blocks;
    blocks.push(...sealed.map((bytes) => unwrap(decodeSealedBlock(network.chainId, bytes)).block));
  }
}

/** Anything else that is answered is wrong. */
function letGo(error: unknown): undefined {
  const isLetGo = error instanceof CodedError && (error.code === 'stream-closed' || error.code === 'deadline-passed');
  if (!isLetGo) throw error;
}

/**
 * What is wrong with a chain, given what was acknowledged, one sentence each: blocks that do not follow each other;
 * an event that is in no block, in two, or in another than was said; events of a node out of its order.
 */
export function historyFaults(chain: readonly Block[], acknowledged: readonly Acknowledgement[]): string[] {
  const faults: string[] = [];
  const heights = new Map<Hash, number>();
  const lastSeq = new Map<string, number>();
  let parent: Block | undefined;
  for (const block of chain) {
    const { height, parentId } = block.header;
    if (parent !== undefined && (parent.id !== parentId || parent.header.height + 1 !== height)) {
      faults.push(`block ${height} does not follow block ${parent.header.height}`);
    }
    parent = block;
    for (const { id, event } of block.events) {
      if (heights.has(id)) faults.push(`event ${id} is in blocks ${heights.get(id)} and ${height}`);
      heights.set(id, height);
      if (event.seq <= (lastSeq.get(event.peerId) ?? -1)) faults.push(`events of ${event.peerId} are out of order`);
      lastSeq.set(event.peerId, event.seq);
    }
  }
  for (const { id, height, by } of acknowledged) {
    const at = heights.get(id);
    if (at === undefined) faults.push(`event ${id}, acknowledged by ${by} in block ${height}, is in no block`);
    else if (height !== null && at !== height) faults.push(`event ${id} is in block ${at}; ${by} said ${height}`);
  }
  return faults;
}

/** A reader that trusts the genesis and nothing else, unless it is told to, and asks these nodes. Closed after the test. */
export async function lightReader(
  network: TestNetwork,
  names: readonly string[],
  trust?: ReaderTrust,
): Promise<LightReader> {
  const reader = await openLightReader({
    genesis: network.genesis,
    addresses: new AddressBook(new Map(), [], []),
    named: names.map((name) => network.target(name)),
    trust,
  });
  onTestFinished(() => reader.close());
  return reader;
}

/** Nodes whose verified record does not hold their last acknowledged event. */
export async function unreadable(reader: LightReader, acknowledged: readonly Acknowledgement[]): Promise<string[]> {
  const last = new Map<string, number>();
  for (const { peerId, seq } of acknowledged) last.set(peerId, Math.max(seq, last.get(peerId) ?? 0));
  const faults: string[] = [];
  for (const [peerId, seq] of last) {
    const report = unwrap(await reader.read(peerId, { maxAgeMs: undefined, timeoutMs: DEADLINE.deadlineMs }));
    if ((report.lastSeq ?? -1) < seq) faults.push(`${peerId}: ${seq} was acknowledged, ${report.lastSeq} is read`);
  }
  return faults;
}
