/** A cluster of protocol version 2: ids are addresses, and there are no non-voters and no handing over of leadership. */
import { expect } from 'vitest';
import { Cluster, write } from './cluster.ts';
import { hasSuffrage, holdsSameLogs, writeMany } from './facts.ts';
import type { Newcomer } from './newcomer.ts';

const VERSION_2 = { protocol: 2, trailing: 8 } as const;
/** Leaders that are killed until each server has led; who is elected is chance, so the last may let wait for it. */
const KILLS_MAX = 40;

/** It joins as a voter, by a snapshot; leaders are killed until each has led; then it goes. */
export async function livesInVersion2(newcomer: Newcomer): Promise<void> {
  const cluster = await Cluster.ofGo(2, VERSION_2);
  const first = await cluster.leader();
  await writeMany(first, 20, 'before it came');
  await first.admin.snapshot();
  const joining = await newcomer.place(cluster, 'newcomer', VERSION_2);
  expect(joining.id).toBe(joining.address);
  await joining.start();
  await first.admin.addVoter(joining.id, joining.address);
  await hasSuffrage(cluster.peers, joining.id, 'Voter');
  await cluster.agree(cluster.peers, 20);

  const toLead = new Set(cluster.peers);
  for (let kills = 0; toLead.size > 0; kills++) {
    expect(kills).toBeLessThan(KILLS_MAX);
    const leader = await cluster.leader();
    toLead.delete(leader);
    await writeMany(leader, 5, `through leader ${kills}`);
    await leader.kill();
    await write(await cluster.leader(), `after leader ${kills}`);
    await leader.start();
  }
  await cluster.agree();
  await holdsSameLogs(joining, first);

  let leader = await cluster.leader();
  while (leader === joining) {
    await leader.kill();
    const next = await cluster.leader();
    await leader.start();
    leader = next;
  }
  await leader.admin.remove(joining.id);
  const others = cluster.peers.filter((peer) => peer !== joining);
  await hasSuffrage(others, joining.id, undefined);
  await writeMany(leader, 5, 'without it');
  await cluster.agree(others);
}
