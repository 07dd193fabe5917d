/** A server joins a running cluster, is made a voter, and is needed. */
import { expect } from 'vitest';
import { Cluster, write } from './cluster.ts';
import { hasSuffrage, holdsSameLogs, writeMany } from './facts.ts';
import type { Newcomer } from './newcomer.ts';

/** Less than what is written before the newcomer is there: what it lacks is in no log any more. */
const TRAILING = 8;

/**
 * By a snapshot and by the log behind it, killed with -9 in between and started from its disk; promoted, after which one Go
 * server goes, so that nothing commits without the newcomer; and again when it is back.
 */
export async function joins(newcomer: Newcomer): Promise<void> {
  const cluster = await Cluster.ofGo(3, { trailing: TRAILING });
  const leader = await cluster.leader();
  await writeMany(leader, 40, 'before the snapshot');
  await leader.admin.snapshot();
  await writeMany(leader, 5, 'behind the snapshot');

  const joining = await newcomer.place(cluster, 'newcomer', { trailing: TRAILING });
  await joining.start();
  await leader.admin.addNonvoter(joining.id, joining.address);
  expect(await cluster.agree(cluster.peers, 45)).toMatchObject({ count: 45 });
  expect((await joining.admin.machine()).restores).toBe(1);
  await hasSuffrage(cluster.peers, joining.id, 'Nonvoter');
  await holdsSameLogs(leader, joining);

  await joining.kill();
  await writeMany(leader, 5, 'while it was down');
  await joining.start();
  expect(await cluster.agree(cluster.peers, 50)).toMatchObject({ count: 50 });

  await leader.admin.addVoter(joining.id, joining.address);
  await hasSuffrage(cluster.peers, joining.id, 'Voter');
  const [gone, staying] = cluster.peers.filter((peer) => peer !== leader && peer !== joining);
  await leader.admin.remove(gone!.id);
  await gone!.kill();
  await staying!.kill();
  await writeMany(leader, 5, 'with its vote');

  await joining.kill();
  expect(await leader.admin.apply('without its vote')).not.toMatchObject({ kind: 'applied' });
  await joining.start();
  await write(await cluster.leader(), 'with its vote again');
  const { count } = await cluster.agree();
  // What nobody could commit was perhaps written, and may be committed later.
  expect([56, 57]).toContain(count);
  await holdsSameLogs(leader, joining);
}
