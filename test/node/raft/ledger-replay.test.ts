import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { toHex, utf8 } from '../../../src/base/bytes.ts';
import { formatGenesis } from '../../../src/ledger/genesis.ts';
import { legacyKey } from '../../../src/ledger/state.ts';
import { stateKey } from '../../../src/ledger/layout.ts';
import { loadConfig, type NodeConfig } from '../../../src/node/config.ts';
import { ledgerDirectory } from '../../../src/node/open-ledger.ts';
import { StoppedLedger } from '../../../src/node/projections/stopped-ledger.ts';
import { raftSnapshotsDirectory, SnapshotFiles } from '../../../src/node/raft/snapshot-files.ts';
import { ENTRY_TYPES, type Entry } from '../../../src/raft/messages.ts';
import { LevelStore } from '../../../src/store/level-store.ts';
import { peerOf } from '../../ledger/nodes.ts';
import { Cluster, legacyCommand, nodeDataJson } from '../../ledger/raft-cluster.ts';
import { temporaryDirectory } from '../directory.ts';
import { replayOf } from '../replaying.ts';
import { entry, inPieces, Member } from './member.ts';

const code = (expected: string) => expect.objectContaining({ code: expected }) as Error;
const command = (index: number, data: Uint8Array | null) => entry(index, ENTRY_TYPES.command, data);

async function directoryOf(cluster: Cluster): Promise<{ config: NodeConfig; store: LevelStore }> {
  const directory = await temporaryDirectory();
  await writeFile(join(directory, 'genesis.json'), formatGenesis(cluster.genesis));
  await writeFile(join(directory, 'config.json'), '{"genesis":"genesis.json","dataDirectory":"data"}');
  const { config } = await loadConfig({ file: 'config.json', environment: {}, flags: {}, directory });
  return { config, store: await LevelStore.open(ledgerDirectory(join(directory, 'data')), { create: true }) };
}

function logOf(cluster: Cluster) {
  return [
    command(1, legacyCommand(peerOf(1), nodeDataJson(1))),
    command(2, legacyCommand('colour', '"blue"')),
    entry(3, ENTRY_TYPES.noop, cluster.baseData()),
    command(4, cluster.command(cluster.join(1), cluster.join(2))),
    command(5, legacyCommand('colour', '"red"')),
    command(6, utf8('?')),
  ];
}

test('a replay of a member gives its state again, from the values that it held at BASE', async () => {
  const cluster = new Cluster();
  const { config, store } = await directoryOf(cluster);
  const member = await Member.open(cluster, store);
  await member.apply(logOf(cluster));
  await store.close();
  const report = await replayOf(config);
  expect(report).toMatchObject({
    height: 3,
    events: 2,
    stateRoot: member.ledger.stateRoot,
    from: { kind: 'base', height: 0 },
    compared: { state: { equal: true } },
    verified: { signatures: false, seals: false },
  });
});

test('a replay finds a value that is not what the log gives', async () => {
  const cluster = new Cluster();
  const { config, store } = await directoryOf(cluster);
  await (await Member.open(cluster, store)).apply(logOf(cluster));
  const key = legacyKey('colour');
  await store.batch([{ kind: 'put', key: stateKey(key), value: utf8('"green"') }], { sync: true });
  await store.close();
  expect((await replayOf(config)).compared?.state).toMatchObject({
    equal: false,
    firstDifference: { key, replayed: { hex: toHex(utf8('"red"')) }, kept: { hex: toHex(utf8('"green"')) } },
  });
});

test('a replay refuses a first block that the kept values do not make', async () => {
  const cluster = new Cluster();
  const { config, store } = await directoryOf(cluster);
  await (await Member.open(cluster, store)).apply(logOf(cluster));
  await store.batch([{ kind: 'put', key: utf8('Gcolour'), value: utf8('"green"') }], { sync: true });
  await store.close();
  await expect(replayOf(config)).rejects.toThrow(code('state-root-mismatch'));
});

test('there is nothing to replay before BASE, nor where no snapshot is of a block of the log', async () => {
  const cluster = new Cluster();
  const before = await directoryOf(cluster);
  const source = await Member.open(cluster, before.store);
  await source.apply(logOf(cluster).slice(0, 2));
  const map = await source.snapshot();
  await before.store.close();
  await expect(replayOf(before.config)).rejects.toThrow(code('before-base'));
  const { config, whole } = await begunWithSnapshot(cluster, []);
  await expect(replayOf(config)).rejects.toThrow(code('replay-from-snapshot'));
  await writeSnapshot(config, 2, map);
  const other = new Cluster();
  const stranger = await Member.open(other);
  await stranger.apply(logOf(other).slice(0, 3));
  await writeSnapshot(config, 3, await stranger.snapshot());
  await expect(replayOf(config)).rejects.toThrow(code('replay-from-snapshot'));
  expect(stranger.ledger.chainId).toBe(whole.ledger.chainId);
});

test('the ledger of a member that began with a snapshot is replayed from the oldest that it has', async () => {
  const cluster = new Cluster();
  const behind = [
    command(7, cluster.command(cluster.join(3))),
    command(8, legacyCommand('colour', '"green"')),
    command(9, cluster.command(cluster.join(4))),
  ];
  const { config, whole } = await begunWithSnapshot(cluster, behind);
  const first = await Member.open(cluster);
  await first.apply([...logOf(cluster), ...behind.slice(0, 1)]);
  await writeSnapshot(config, 7, await first.snapshot());
  await writeSnapshot(config, 9, await whole.snapshot());
  const notes: string[] = [];
  const report = await replayOf(config, { onNote: (note) => notes.push(note) });
  const height = first.ledger.ledger?.machine.head.height;
  expect(report).toMatchObject({
    from: { kind: 'snapshot', height },
    height: (height ?? 0) + 2,
    stateRoot: whole.ledger.stateRoot,
    compared: { state: { equal: true } },
  });
  // And so are its projections, and what is asked of old heights.
  const stopped = await StoppedLedger.open(config);
  expect((await stopped.at(peerOf(4), 6)).ok).toBe(true);
  await expect(stopped.at(peerOf(3), 3)).rejects.toMatchObject({ details: { fromHeight: 3, oldest: 4 } });
  await stopped.close();
  expect(notes[0]).toMatch(/^begins with the snapshot at height 4, \d+ entries: the log begins at height 3/);
});

test('a replay refuses a snapshot of which a value changed on the disk', async () => {
  const cluster = new Cluster();
  const { config, whole } = await begunWithSnapshot(cluster, []);
  const snapshot = Buffer.from(await whole.snapshot());
  const at = snapshot.indexOf('"red"');
  snapshot[at + 1] = 'R'.charCodeAt(0);
  await writeSnapshot(config, 6, snapshot);
  await expect(replayOf(config)).rejects.toThrow(code('state-root-mismatch'));
});

async function begunWithSnapshot(
  cluster: Cluster,
  behind: readonly Entry[],
): Promise<{ readonly config: NodeConfig; readonly whole: Member }> {
  const whole = await Member.open(cluster);
  await whole.apply(logOf(cluster));
  const { config, store } = await directoryOf(cluster);
  const member = await Member.open(cluster, store);
  await member.restore(inPieces(await whole.snapshot(), 999), 6);
  await member.apply(behind);
  await whole.apply(behind);
  await store.close();
  return { config, whole };
}

async function writeSnapshot({ dataDirectory }: NodeConfig, lastIndex: number, snapshot: Uint8Array): Promise<void> {
  const folder = raftSnapshotsDirectory(dataDirectory);
  const files = await SnapshotFiles.open({ folder, maxBytes: 1_000_000, reserveBytes: 0 });
  const configuration = { index: 1, configuration: { servers: [] } };
  await files.write({ lastIndex, lastTerm: 1, configuration }, inPieces(snapshot, 999), null);
}
