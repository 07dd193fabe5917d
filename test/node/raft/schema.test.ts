/** A member of a Raft cluster whose program does not know the next event schema. */
import { expect, test } from 'vitest';
import { ZERO_HASH } from '../../../src/base/hash.ts';
import { MIN_ACTIVATION_NOTICE } from '../../../src/ledger/event-schema-at.ts';
import { NEWEST_EVENT_SCHEMA } from '../../../src/ledger/newest-schema.ts';
import { nodeEntryCodec } from '../../../src/ledger/record.ts';
import { nodeKey } from '../../../src/ledger/state.ts';
import { ENTRY_TYPES, type Entry } from '../../../src/raft/messages.ts';
import { peerOf, START } from '../../ledger/nodes.ts';
import type { VerifiedEvent } from '../../../src/ledger/verified-event.ts';
import { Cluster } from '../../ledger/raft-cluster.ts';
import { MemoryDisk, MemoryStore } from '../../store/memory-store.ts';
import { entry, inPieces, Member } from './member.ts';

const NODE = peerOf(7);
const notKnown = expect.objectContaining({ code: 'schema-not-known' }) as Error;

/** A log that begins the ledger and decides on a schema. @returns it, and the height from which the schema is in force */
function deciding(cluster: Cluster, schema: number) {
  const fromHeight = 2 + MIN_ACTIVATION_NOTICE;
  const validator = (number: number) => peerOf(1000 + number);
  const proposed = cluster.event({
    ...{ type: 'proposed', peerId: validator(0), seq: 1, epoch: 0, replaces: ZERO_HASH, expires: START + 5000 },
    action: { kind: 'schemaActivated', schema, fromHeight },
  });
  const approvals = [1, 2].map((number) =>
    cluster.event({ type: 'approved', peerId: validator(number), seq: 1, proposal: proposed.id }),
  );
  const log: Entry[] = [entry(1, ENTRY_TYPES.noop, cluster.baseData())];
  const write = (...events: readonly VerifiedEvent[]) => {
    log.push(entry(log.length + 1, ENTRY_TYPES.command, cluster.command(...events)));
  };
  write(proposed, ...approvals);
  while (log.length < fromHeight) write();
  // Before its height, no member has the new form in a block; the older ones cannot even read it.
  return { log, fromHeight, write };
}

const llm = (cluster: Cluster, seq: number) => cluster.join(7, seq, { schema: 2, isLlmServer: true });

test('stops before the first entry of it, with all that it had, and goes on there once it is upgraded', async () => {
  const cluster = new Cluster();
  const { fromHeight, log, write } = deciding(cluster, 2);
  log.splice(-1);
  write(llm(cluster, 1)); // too early by one block
  const early = log.at(-1) as Entry;
  const disk = new MemoryDisk();
  const older = await Member.open(cluster, new MemoryStore(disk), { newestSchema: 1 });
  await older.apply(log);
  const height = () => older.ledger.ledger?.log.head().height;
  expect(height()).toBe(fromHeight - 1);
  expect(older.outcomes[early.index - 1]).toMatchObject({ events: [{ refusal: { code: 'schema-not-active' } }] });
  write(llm(cluster, 2));
  const next = log.slice(-1);
  expect(() => older.applyInMemory(next)).toThrow(notKnown);
  expect([height(), older.applied]).toEqual([fromHeight - 1, log.length - 1]);

  const restarted = await Member.open(cluster, new MemoryStore(disk), { newestSchema: 1 });
  expect(() => restarted.applyInMemory(next)).toThrow(notKnown);

  const upgraded = await Member.open(cluster, new MemoryStore(disk));
  await upgraded.apply(next);
  const whole = await Member.open(cluster);
  await whole.apply(log);
  expect(upgraded.ledger.stateRoot).toBe(whole.ledger.stateRoot);
  const record = nodeEntryCodec.decodeOwn(upgraded.ledger.ledger?.machine.get(nodeKey(NODE)) as Uint8Array);
  expect(record).toMatchObject({ isLlmServer: true });
});

test('takes no snapshot of a state that has come so far, and opens no such directory', async () => {
  const cluster = new Cluster({ eventSchema: NEWEST_EVENT_SCHEMA });
  const { log, write } = deciding(cluster, NEWEST_EVENT_SCHEMA + 1);
  write(cluster.join(3));
  const disk = new MemoryDisk();
  const newer = await Member.open(cluster, new MemoryStore(disk), { newestSchema: NEWEST_EVENT_SCHEMA + 1 });
  await newer.apply(log);
  const snapshot = await newer.snapshot();
  const member = await Member.open(cluster);
  await expect(member.restore(inPieces(snapshot, 1000), log.length)).rejects.toThrow(notKnown);
  expect(member.ledger.isRestoring).toBe(false);
  await expect(Member.open(cluster, new MemoryStore(disk))).rejects.toThrow(notKnown);
});
