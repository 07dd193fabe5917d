/** A server is handed leadership of Go servers, leads them, hands it back, and goes. */
import { expect } from 'vitest';
import { Cluster, write } from './cluster.ts';
import { handLeadership, hasSuffrage, holdsSameLogs, leads, writeMany } from './facts.ts';
import { FAST_TIMINGS } from './go-launch.ts';
import type { Newcomer } from './newcomer.ts';

const TRAILING = 8;
/** How long a server that was removed is watched, while writes go on. */
const WATCHED_MS = 6 * FAST_TIMINGS.electionMs;

/**
 * As leader it replicates to Go followers, sends a snapshot to a blank Go server, is killed with -9 and follows after its
 * restart; leads again, hands leadership back, and is removed and no trouble after it.
 */
export async function leadsGo(newcomer: Newcomer): Promise<void> {
  const cluster = await Cluster.ofGo(2, { trailing: TRAILING });
  const first = await cluster.leader();
  await writeMany(first, 10, 'before it came');
  const leading = await newcomer.place(cluster, 'newcomer', { trailing: TRAILING });
  await leading.start();
  await first.admin.addVoter(leading.id, leading.address);
  await cluster.agree(cluster.peers, 10);

  await handLeadership(cluster, leading);
  await writeMany(leading, 30, 'through it');
  await leading.admin.barrier();
  await leading.admin.verifyLeader();
  expect(await cluster.agree(cluster.peers, 40)).toMatchObject({ count: 40 });
  for (const follower of cluster.peers) await holdsSameLogs(leading, follower);

  await leading.admin.snapshot();
  const blank = await cluster.addGo('blank', { trailing: TRAILING });
  await blank.start();
  await leading.admin.addNonvoter(blank.id, blank.address);
  expect(await cluster.agree(cluster.peers, 40)).toMatchObject({ count: 40 });
  expect((await blank.admin.machine()).restores).toBe(1);

  await leading.kill();
  await write(await cluster.leader(), 'while it was down');
  await leading.start();
  expect(await cluster.agree(cluster.peers, 41)).toMatchObject({ count: 41 });

  await handLeadership(cluster, leading);
  await write(leading, 'through it again');
  await handLeadership(cluster, first);
  await leads(first);
  await first.admin.remove(leading.id);
  const others = cluster.peers.filter((peer) => peer !== leading);
  await hasSuffrage(others, leading.id, undefined);
  const { term } = await first.admin.status();
  const watchedUntilMs = performance.now() + WATCHED_MS;
  while (performance.now() < watchedUntilMs) await write(first, 'without it');
  expect((await first.admin.status()).term).toBe(term);
  await cluster.agree(others, 43);
}
