/** Go servers alone: that the harness forms, kills and restarts real clusters, before a server of ours is among them. */
import { describe, expect, test } from 'vitest';
import { Cluster, write } from './cluster.ts';
import { holdsSameLogs, writeMany } from './facts.ts';
import { needsGo } from './go-build.ts';
import { FAST_TIMINGS } from './go-launch.ts';

describe.runIf(needsGo())('three Go servers', () => {
  test('elect, apply, and go on when the leader is killed; who was killed catches up from its disk', async () => {
    const cluster = await Cluster.ofGo(3);
    const first = await cluster.leader();
    for (let i = 0; i < 20; i++) await write(first, `command ${i}`);
    expect(await cluster.agree(cluster.peers, 20)).toMatchObject({ count: 20 });

    await first.kill();
    const second = await cluster.leader();
    expect(second.id).not.toBe(first.id);
    await write(second, 'after the kill');
    await first.start();
    expect(await cluster.agree(cluster.peers, 21)).toMatchObject({ count: 21, restores: 0 });
    expect((await cluster.leader()).id).toBe(second.id);
  });

  test('keep a leader whose disk hangs, and leave its writer in the dark about what is written after all', async () => {
    const cluster = await Cluster.ofGo(3);
    const leader = await cluster.leader();
    await write(leader, 'before');
    await leader.admin.stall(60_000);
    const limitMs = 5 * FAST_TIMINGS.electionMs;
    expect(await leader.admin.apply('while the disk hangs', limitMs)).toMatchObject({ kind: 'unknown' });
    expect((await leader.admin.status()).role).toBe('Leader');
    await leader.admin.stall(0);
    await write(leader, 'after');
    expect(await cluster.agree(cluster.peers, 3)).toMatchObject({ count: 3 });
  });

  // `compactLogs` of hashicorp/raft's `snapshot.go` counts what is kept from the last entry before the snapshot.
  test('keep older entries before a hole where they took a snapshot; logs are compared on both sides of it', async () => {
    const cluster = await Cluster.ofGo(3, { trailing: 50 });
    const leader = await cluster.leader();
    const away = cluster.peers.find((peer) => peer !== leader)!;
    await writeMany(leader, 10, 'before it went');
    await away.kill();
    await writeMany(leader, 100, 'while it was away');
    for (const peer of cluster.running()) await peer.admin.snapshot();
    await away.start();
    await cluster.agree(cluster.peers, 110);
    await writeMany(leader, 5, 'after it came back');
    await cluster.agree(cluster.peers, 115);

    const { entries, first, last } = await away.admin.log();
    expect(entries.length).toBeLessThan(last - first + 1);
    for (const other of cluster.peers) if (other !== away) await holdsSameLogs(other, away);
  });
});
