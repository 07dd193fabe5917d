/** A Raft cluster of real processes with the ledger on top, killed with -9, extended, and recovered when a majority is lost. */
import { readFile, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { CodedError } from '../../src/base/result.ts';
import type { ConfigFile } from '../../src/node/config-schema.ts';
import type { LedgerReplayReport } from '../../src/node/replay.ts';
import type { RaftReport } from '../../src/node/raft/operations.ts';
import { eventually } from '../eventually.ts';
import { TestNetwork } from '../e2e/harness.ts';
import { Load, Submitters, type Acknowledgement } from '../e2e/load.ts';
import { raftLeaderOf } from '../e2e/raft-leader.ts';

/** So that a test does not wait for snapshots. */
const SNAPSHOTS: NonNullable<ConfigFile['raft']> = {
  snapshotThreshold: 20,
  snapshotIntervalMs: 500,
  trailingEntries: 10,
};

async function raftNetwork(options: { observers?: number; raft?: ConfigFile['raft'] } = {}): Promise<TestNetwork> {
  const { observers = 0, raft = {} } = options;
  const network = await TestNetwork.make({ validators: 3, observers, consensus: 'raft' });
  for (const name of network.names()) await changeConfig(network, name, raft);
  return network;
}

async function changeConfig(network: TestNetwork, name: string, raft: ConfigFile['raft']): Promise<void> {
  const { configFile } = network.node(name);
  const config = JSON.parse(await readFile(configFile, 'utf8')) as ConfigFile;
  await writeFile(configFile, JSON.stringify({ ...config, raft: { ...config.raft, ...raft } }));
}

const report = (network: TestNetwork, name: string): Promise<RaftReport> => network.process(name).control.raftReport();

/** What was acknowledged and is not in the records that this member reads from the others. */
async function missing(network: TestNetwork, by: string, acknowledged: readonly Acknowledgement[]): Promise<string[]> {
  const newest = new Map<string, number>();
  for (const { peerId, seq } of acknowledged) newest.set(peerId, Math.max(seq, newest.get(peerId) ?? 0));
  const lost: string[] = [];
  for (const [peerId, seq] of newest) {
    const { lastSeq, trust } = await network.process(by).control.read(peerId);
    expect(trust).toBe('crash-only');
    if ((lastSeq ?? 0) < seq) lost.push(peerId);
  }
  return lost;
}

function more(load: Load, count: number): Promise<true> {
  const wanted = load.acknowledged.length + count;
  return eventually(`${count} more events are acknowledged`, () => load.acknowledged.length >= wanted || undefined);
}

test('a leader and then all members killed with -9 lose nothing that was acknowledged', async () => {
  const network = await raftNetwork({ raft: SNAPSHOTS });
  const members = network.names();
  await network.startNodes(members);
  const load = new Load(network, 4);
  await more(load, 20);

  const first = await raftLeaderOf(network, members);
  await network.kill(first);
  load.targets = members.filter((name) => name !== first);
  await more(load, 30);
  await network.startNodes([first]);
  load.targets = members;
  await more(load, 10);

  await network.kill(...members);
  load.pause();
  await network.startNodes(members);
  load.resume();
  await more(load, 10);
  await load.finish();
  expect(load.refused).toEqual([]);
  await network.level(members, load.highestAcknowledged());
  for (const name of members) expect(await missing(network, name, load.acknowledged)).toEqual([]);
  const reports = await Promise.all(members.map((name) => report(network, name)));
  expect(reports.every(({ snapshot }) => snapshot !== null)).toBe(true);
  expect(new Set(reports.map(({ history }) => history?.hash)).size).toBe(1);
});

test('a blank node joins by snapshot and log, gets a vote, and counts', async () => {
  const network = await raftNetwork({ observers: 1, raft: SNAPSHOTS });
  const members = network.names('validator');
  await network.startNodes(members);
  const load = new Load(network, 3);
  await more(load, 40);
  const leader = await raftLeaderOf(network, members);
  await eventually('a snapshot is there', async () => (await report(network, leader)).snapshot ?? undefined);

  await network.startNodes(['observer']);
  const { config, dataDirectory } = { config: network.node('observer').configFile, ...network.node(leader) };
  const cluster = members.map((name) => network.node(name).peerId).join(',');
  const joined = await network.run(
    'raft',
    'join',
    '-c',
    config,
    '--cluster',
    cluster,
    '--via',
    dataDirectory,
    '--json',
  );
  expect(joined.json()).toMatchObject({ id: network.node('observer').peerId, suffrage: 'voter' });
  await more(load, 10);

  // Two of four are no majority; with the new one the other two are.
  const gone = members.find((name) => name !== leader) ?? '';
  await network.kill(gone);
  load.targets = [...members.filter((name) => name !== gone), 'observer'];
  await more(load, 10);
  await load.finish();
  const left = [...members.filter((name) => name !== gone), 'observer'];
  await network.level(left, load.highestAcknowledged());
  expect(await missing(network, 'observer', load.acknowledged)).toEqual([]);

  // Its log began with a snapshot of the cluster: what is made of the log again begins with the oldest that it has.
  const replayed = await network.run('replay', '-c', config, '--compare', '--json');
  expect(replayed.json()).toMatchObject({
    source: 'running node',
    from: { kind: 'snapshot' },
    compared: { state: { equal: true } },
  });
  const { height: from } = (replayed.json() as LedgerReplayReport).from;
  expect(from).toBeGreaterThan(0);
  const [{ peerId }] = load.acknowledged as [Acknowledgement];
  const old = await network.run('get', peerId, '-c', config, '--at', String(from), '--trust', 'crash-only', '--json');
  expect(old.json(), old.err).toMatchObject({ height: from, trust: 'crash-only' });
  expect((await network.run('rebuild', '-c', config)).exit).toBe(0);
  await eventually('the projections of the member are made again', async () => {
    const { projections, rebuild } = await network.status('observer');
    return (rebuild === null && projections.every(({ state }) => state === 'following')) || undefined;
  });
  expect(await missing(network, 'observer', load.acknowledged)).toEqual([]);
});

test('the member that is left when a majority is lost goes on by itself, after it was recovered', async () => {
  const network = await raftNetwork();
  const members = network.names();
  await network.startNodes(members);
  const load = new Load(network, 3);
  await more(load, 15);
  await load.finish();
  await network.level(members, load.highestAcknowledged());
  await network.kill(...members);
  const [left = ''] = members;
  const { configFile, dataDirectory, peerId } = network.node(left);

  // It cannot be recovered while it runs.
  await network.startNodes([left]);
  const recover = () => network.run('raft', 'recover', '-c', configFile, '--server', `${peerId}=${peerId}`, '--json');
  expect((await recover()).json()).toMatchObject({ error: { code: 'store-locked' } });
  await network.stop(left);

  const recovered = (await recover()).json();
  expect(recovered).toMatchObject({ backup: `${dataDirectory}.before-recovery-1`, servers: [{ id: peerId }] });
  await network.startNodes([left]);
  await raftLeaderOf(network, [left]);
  expect((await report(network, left)).servers).toMatchObject([{ id: peerId, suffrage: 'voter' }]);
  const submitters = new Submitters(network);
  const [author] = load.authors;
  const acknowledged = await submitters.acknowledged(left, author!.next());
  expect(acknowledged.height).toBeGreaterThan(load.highestAcknowledged());
});

test('a member that began a cluster of its own is told of the other history, and keeps its own', async () => {
  const network = await raftNetwork();
  const [alone = '', ...others] = network.names();
  const own = network.node(alone).peerId;
  const two = others.map((name) => network.node(name).peerId).map((id) => ({ id, address: id }));
  await changeConfig(network, alone, { bootstrap: [{ id: own, address: own }] });
  for (const name of others) await changeConfig(network, name, { bootstrap: two });
  // The operator of the third one lists the others, so their word is heard.
  await changeConfig(network, alone, { cluster: two });
  await network.startNodes(network.names());
  await raftLeaderOf(network, [alone]);
  const leader = await raftLeaderOf(network, others);
  const before = await report(network, alone);
  await network.process(leader).control.raftChange({ kind: 'add-nonvoter', id: own, address: own });
  const { foreign } = await eventually('it is told', async () => {
    const now = await report(network, alone);
    return now.foreign === null ? undefined : now;
  });
  expect(foreign?.code).toBe('raft-foreign-history');
  const after = await report(network, alone);
  expect(after.history).toEqual(before.history);
  expect(after.servers).toEqual(before.servers);
  const { exit, out } = await network.run('raft', 'status', '-c', network.node(alone).configFile);
  expect([exit, out]).toEqual([1, expect.stringContaining(own)]);
});

test('evidence of two votes is no event of a Raft cluster', async () => {
  const network = await raftNetwork();
  const members = network.names();
  await network.startNodes(members);
  const leader = await raftLeaderOf(network, members);
  const submitters = new Submitters(network);
  const load = new Load(network, 1);
  await more(load, 1);
  await load.finish();
  const evidence = load.authors[0]!.sign({
    type: 'evidenceRecorded',
    epoch: 0,
    offender: network.node(leader).peerId,
    evidence: 'AA==',
  });
  const refused = await submitters.acknowledged(leader, evidence).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(CodedError);
  expect((refused as CodedError).code).toBe('evidence-without-votes');
});
