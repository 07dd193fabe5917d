import { beforeEach, describe, expect, test } from 'vitest';
import { toHex, utf8 } from '../../../src/base/bytes.ts';
import { LedgerProjections } from '../../../src/node/raft/ledger-projections.ts';
import { CATALOG } from '../../../src/projections/catalog.ts';
import { peerIds, recordCount } from '../../../src/projections/node-data.ts';
import { ENTRY_TYPES, type Entry } from '../../../src/raft/messages.ts';
import { peerOf } from '../../ledger/nodes.ts';
import { Cluster, legacyCommand, nodeDataJson } from '../../ledger/raft-cluster.ts';
import { MemoryDisk, MemoryStore } from '../../store/memory-store.ts';
import { entry, inPieces, Member } from './member.ts';

const command = (index: number, data: Uint8Array | null) => entry(index, ENTRY_TYPES.command, data);

let cluster: Cluster;
let log: readonly Entry[];
let failures: unknown[];

beforeEach(() => {
  cluster = new Cluster();
  failures = [];
  log = [
    command(1, legacyCommand(peerOf(1), nodeDataJson(1))),
    entry(2, ENTRY_TYPES.noop, cluster.baseData()),
    command(3, cluster.command(cluster.join(2), cluster.join(3))),
    command(4, legacyCommand('colour', '"red"')),
    command(5, cluster.command(cluster.event({ type: 'left', peerId: peerOf(3), seq: 2 }))),
  ];
});

async function projected(disk = new MemoryDisk()) {
  const projections = new LedgerProjections({
    projections: CATALOG,
    logger: { error: (facts: unknown) => void failures.push(facts), info: () => undefined },
    startRebuildOf: () => () => {
      throw new Error('nothing is stale in a new ledger');
    },
    onFailed: (error) => failures.push(error),
  });
  const told: { ledger: () => Member['ledger']['ledger'] } = { ledger: () => null };
  const member = await Member.open(cluster, new MemoryStore(disk), {
    outlets: {
      committed: (blocks) => projections.committed(told.ledger(), blocks),
      replacing: () => projections.end(),
      replaced: (ledger) => projections.begin(ledger),
    },
  });
  told.ledger = () => member.ledger.ledger;
  await projections.begin(member.ledger.ledger);
  return { disk, member, projections };
}

/** Of what is there now; what a snapshot knows nothing of, history and what was counted, is not in it. */
function rowsOf({ entries }: MemoryDisk): readonly string[] {
  const present = ['node-data', 'validators'].map((name) => toHex(utf8(name)));
  const rows = [...entries].filter(([key]) => present.some((name) => key.startsWith(name, 4)));
  return rows.map(([key, value]) => `${key}=${toHex(value)}`).sort();
}

describe('the projections under Raft', () => {
  test('begin with BASE, and follow the blocks', async () => {
    const { member, projections } = await projected();
    await member.apply(log.slice(0, 1));
    expect(projections.reader('node-data')).toBeNull();
    expect(projections.status().projections).toEqual([]);
    for (const each of log.slice(1)) await member.apply([each]);
    await projections.settled();
    const reader = projections.reader('node-data');
    expect(reader && recordCount(reader)).toBe(3);
    expect(projections.status().projections.map(({ height }) => height)).toEqual(CATALOG.map(() => 3));
    expect(failures).toEqual([]);
  });

  test('hold the same rows after a snapshot as those that grew with the log', async () => {
    const grown = await projected();
    for (const each of log) await grown.member.apply([each]);
    await grown.projections.settled();
    const used = await projected();
    await used.member.apply([
      entry(1, ENTRY_TYPES.noop, cluster.baseData()),
      command(2, cluster.command(cluster.join(9))),
    ]);
    await used.projections.settled();
    await used.member.restore(inPieces(await grown.member.snapshot(), 99), 5);
    await used.projections.settled();
    expect(rowsOf(used.disk)).toEqual(rowsOf(grown.disk));
    const next = [command(6, cluster.command(cluster.join(7)))];
    for (const { member, projections } of [grown, used]) {
      await member.apply(next);
      await projections.settled();
    }
    expect(rowsOf(used.disk)).toEqual(rowsOf(grown.disk));
    expect(failures).toEqual([]);
  });

  test('go on where they stood when the process begins again', async () => {
    const { disk, member, projections } = await projected();
    await member.apply(log.slice(0, 3));
    await projections.settled();
    await projections.end();
    await member.apply(log.slice(3));
    const again = await projected(disk);
    await again.projections.settled();
    const reader = again.projections.reader('node-data');
    const ids: string[] = [];
    if (reader !== null) for await (const peerId of peerIds(reader)) ids.push(peerId);
    expect(ids).toEqual([peerOf(1), peerOf(2), peerOf(3)].sort());
    expect(again.projections.status().projections.map(({ height }) => height)).toEqual(CATALOG.map(() => 3));
  });
});
