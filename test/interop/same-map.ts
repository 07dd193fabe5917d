/** A cluster of the older system, with a server of ours among its members: they hold the same map, byte for byte. */
import fc from 'fast-check';
import { expect } from 'vitest';
import { legacyCommandBytes } from '../ledger/legacy-commands.ts';
import { Cluster, write } from './cluster.ts';
import { handLeadership, holdsSameLogs, leads } from './facts.ts';
import type { Newcomer } from './newcomer.ts';
import type { Peer } from './peer.ts';

const MAP = { machine: 'kv', trailing: 8 } as const;
const COMMANDS = 60;

/**
 * Commands of every kind, and bytes that are none, through a Go leader and through the newcomer; a snapshot each way; a
 * restart of each.
 */
export async function holdsTheSameMap(newcomer: Newcomer): Promise<void> {
  const commands = fc.sample(legacyCommandBytes, { numRuns: 3 * COMMANDS, seed: Number(process.env['SEED'] ?? 1) });
  const cluster = await Cluster.ofGo(2, MAP);
  const first = await cluster.leader();
  await writeAll(first, commands.slice(0, COMMANDS));
  await first.admin.snapshot();
  const joining = await newcomer.place(cluster, 'newcomer', MAP);
  await joining.start();
  await first.admin.addVoter(joining.id, joining.address);
  await holdTheSame(cluster.peers);
  expect((await joining.admin.machine()).restores).toBe(1);

  await handLeadership(cluster, joining);
  await writeAll(joining, commands.slice(COMMANDS, 2 * COMMANDS));
  await holdTheSame(cluster.peers);
  await joining.admin.snapshot();
  const blank = await cluster.addGo('blank', MAP);
  await blank.start();
  await joining.admin.addNonvoter(blank.id, blank.address);
  await holdTheSame(cluster.peers);
  expect((await blank.admin.machine()).restores).toBe(1);

  await joining.kill();
  await writeAll(await cluster.leader(), commands.slice(2 * COMMANDS));
  await joining.start();
  await first.kill();
  await first.start();
  await handLeadership(cluster, joining);
  await leads(joining);
  await write(joining, '{"Op":"set","Key":"the last","Value":{"is": "kept"}}');
  await holdTheSame(cluster.peers);
  for (const peer of cluster.peers) expect(await peer.admin.get('the last')).toBe('{"is":"kept"}');
  await holdsSameLogs(joining, first);

  async function holdTheSame(peers: readonly Peer[]): Promise<void> {
    await cluster.agree(peers);
    const [one, ...others] = await Promise.all(peers.map((peer) => peer.admin.dump()));
    for (const other of others) expect(Buffer.from(other).equals(one!)).toBe(true);
  }
}

async function writeAll(leader: Peer, commands: readonly Uint8Array[]): Promise<void> {
  for (const command of commands) await write(leader, command);
}
