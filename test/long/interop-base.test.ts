/** The way from a cluster of the older system to a chain: its map shared, its servers replaced one by one, then BASE. */
import { describe, expect, test } from 'vitest';
import { eventually } from '../eventually.ts';
import { peerOf } from '../ledger/nodes.ts';
import { Cluster as Chain, legacyCommand, nodeDataJson } from '../ledger/raft-cluster.ts';
import { Cluster, write } from '../interop/cluster.ts';
import { handLeadership, hasSuffrage } from '../interop/facts.ts';
import { needsGo } from '../interop/go-build.ts';
import type { Peer } from '../interop/peer.ts';

/** Less than what is written before somebody joins: what it lacks is in no log any more. */
const OPTIONS = { machine: 'kv', trailing: 4 } as const;

const COMMANDS: readonly (string | Uint8Array)[] = [
  '{"Op":"set","Key":"colour","Value":"<blue>"}',
  '{ "op" : "set", "kEY" : "\\ud800", "value" : [ 1.0, 1e5 ] }',
  '{"Op":"set","Key":"twice","Value":1,"Value":{"a":null}}',
  'not a command',
  '{"Op":"delete","Key":"colour","Value":1}',
  Uint8Array.of(0xb1, 1, 0x92),
];

async function writeMap(leader: Peer, from: number, count: number): Promise<void> {
  for (let node = from; node < from + count; node++) {
    await write(leader, legacyCommand(peerOf(node), nodeDataJson(node), 'updateNodeData'));
  }
}

/** All machines hold one map, of at least so many values. */
async function holdOneMap(cluster: Cluster, size: number): Promise<void> {
  const { size: held } = await cluster.agree();
  expect(held).toBeGreaterThanOrEqual(size);
}

async function joined(leader: Peer, peer: Peer): Promise<Peer> {
  await peer.start();
  await leader.admin.addNonvoter(peer.id, peer.address);
  await hasSuffrage([peer], peer.id, 'Nonvoter');
  return peer;
}

describe.runIf(needsGo())('a cluster of the older system', () => {
  test('shares its map with a ledger of ours, which joins, leads, and ships it to a blank Go server', async () => {
    const cluster = await Cluster.ofGo(3, OPTIONS);
    const leader = await cluster.leader();
    for (const command of COMMANDS) await write(leader, command);
    await writeMap(leader, 1, 10);
    await leader.admin.snapshot();
    await write(leader, COMMANDS[0] as string);

    const ours = await joined(leader, await cluster.addOurs('ours', OPTIONS));
    await holdOneMap(cluster, 13);
    expect((await ours.admin.machine()).restores).toBe(1);
    await ours.kill();
    await writeMap(leader, 11, 3);
    await ours.start();
    await holdOneMap(cluster, 16);

    await leader.admin.addVoter(ours.id, ours.address);
    await handLeadership(cluster, ours);
    for (const command of COMMANDS) await write(ours, command);
    await writeMap(ours, 1, 10);
    await ours.admin.snapshot();
    const blank = await joined(ours, await cluster.addGo('blank', OPTIONS));
    await holdOneMap(cluster, 16);
    expect((await blank.admin.machine()).restores).toBe(1);
  });

  test('becomes a chain once all its voters are ours, and Go servers go on as its readers', async () => {
    const cluster = await Cluster.ofGo(1, OPTIONS);
    const go = await cluster.leader();
    await writeMap(go, 1, 6);
    const ours: Peer[] = [];
    for (const id of ['a', 'b', 'c']) {
      const peer = await joined(go, await cluster.addOurs(id, OPTIONS));
      await go.admin.addVoter(peer.id, peer.address);
      ours.push(peer);
    }
    const [first] = ours as [Peer, Peer, Peer];
    await handLeadership(cluster, first);
    await first.admin.demote(go.id);
    await holdOneMap(cluster, 6);

    const chain = new Chain();
    await first.admin.noop(chain.baseData());
    await write(first, chain.command(chain.join(20), chain.join(21)));
    await write(first, legacyCommand('colour', '"red"'));
    await writeMap(first, 30, 6);
    await holdOneMap(cluster, 13);
    const { height, stateRoot } = await first.admin.machine();
    expect(height).toBe(8);
    await eventually('the same state on all members', async () => {
      const reports = await Promise.all(ours.map((peer) => peer.admin.machine()));
      return reports.every((report) => report.height === height && report.stateRoot === stateRoot) || undefined;
    });

    await first.admin.snapshot();
    const fresh = await joined(first, await cluster.addOurs('fresh', OPTIONS));
    const late = await joined(first, await cluster.addGo('late', OPTIONS));
    await eventually('a blank member holds the chain', async () => {
      const report = await fresh.admin.machine();
      return (report.height === height && report.stateRoot === stateRoot) || undefined;
    });
    // The map, and the ledger as one value more.
    await eventually(
      'a blank Go server reads the map',
      async () => (await late.admin.machine()).size === 14 || undefined,
    );
    expect(await late.admin.get('colour')).toBe('"red"');
    expect((await fresh.admin.machine()).restores + (await late.admin.machine()).restores).toBe(2);
    await write(first, chain.command(chain.join(22)));
    await write(first, legacyCommand('colour', '"green"'));
    await eventually('all go on', async () => {
      const heights = await Promise.all([...ours, fresh].map(async (peer) => (await peer.admin.machine()).height));
      return (heights.every((each) => each === 10) && (await late.admin.get('colour')) === '"green"') || undefined;
    });
  });
});
