/** Elections that only one server can win. */
import { expect } from 'vitest';
import { Cluster, write } from './cluster.ts';
import { handLeadership, leads, writeMany } from './facts.ts';
import type { Newcomer } from './newcomer.ts';

/**
 * Each time one server is down while the two others commit; then one of these is killed and the first comes back with a
 * log that is too short to win. So the newcomer must win, by the vote of a Go server; and a Go server by the newcomer's.
 */
export async function electsAndIsElected(newcomer: Newcomer): Promise<void> {
  const cluster = await Cluster.make();
  const one = await cluster.addGo('go1');
  const two = await cluster.addGo('go2');
  const third = await newcomer.place(cluster, 'newcomer');
  await cluster.bootstrap(one, two);
  const first = await cluster.leader();
  await third.start();
  await first.admin.addVoter(third.id, third.address);
  await writeMany(first, 5, 'by all');
  await cluster.agree(cluster.peers, 5);

  await handLeadership(cluster, one);
  await two.kill();
  await writeMany(one, 3, 'without go2');
  await cluster.agree([one, third], 8);
  await one.kill();
  await two.start();
  await leads(third);
  await write(third, 'by the newcomer');
  await one.start();
  expect(await cluster.agree(cluster.peers, 9)).toMatchObject({ count: 9 });

  await handLeadership(cluster, two);
  await third.kill();
  await writeMany(two, 3, 'without the newcomer');
  await cluster.agree([one, two], 12);
  await two.kill();
  await third.start();
  await leads(one);
  await write(one, 'by the vote of the newcomer');
  await two.start();
  expect(await cluster.agree(cluster.peers, 13)).toMatchObject({ count: 13 });
}
