/** A server of ours, killed with -9 at the stages of its life among Go servers that pass in a moment. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'vitest';
import { Cluster, write } from './cluster.ts';
import { handLeadership, hasSuffrage, leads, writeMany } from './facts.ts';
import { isNotDisturbed } from './hazards.ts';
import type { Peer } from './peer.ts';

const TRAILING = 8;
/** 32 MB in a snapshot, which takes some tenths of a second to send. */
const LARGE = { n: 8_000, c: 64, size: 4_000, warm: 0 };
const BENCH_LIMIT_MS = 60_000;
const HALF_WRITTEN_LIMIT_MS = 45_000;

/** While it takes a snapshot from Go, and while it sends one to Go, as the leader that it was elected to be. */
export async function isKilledWithSnapshotsUnderWay(): Promise<void> {
  const cluster = await Cluster.ofGo(2, { trailing: TRAILING });
  const leader = await cluster.leader();
  const { n } = await leader.admin.bench(LARGE, BENCH_LIMIT_MS);
  await leader.admin.snapshot();

  const ours = await cluster.addOurs('ours', { trailing: TRAILING });
  await ours.start();
  await leader.admin.addNonvoter(ours.id, ours.address);
  await isHalfWritten(join(ours.directory, 'raft', 'snapshots'), '.part');
  await ours.kill();
  await ours.start();
  await cluster.agree(cluster.peers, n);
  await leader.admin.addVoter(ours.id, ours.address);
  await hasSuffrage(cluster.peers, ours.id, 'Voter');

  await handLeadership(cluster, ours);
  await write(ours, 'through it');
  await ours.admin.snapshot();
  const blank = await cluster.addGo('blank', { trailing: TRAILING });
  await blank.start();
  await ours.admin.addNonvoter(blank.id, blank.address);
  await isHalfWritten(join(blank.directory, 'snapshots'), '.tmp');
  await ours.kill();
  const next = await cluster.leader(cluster.peers.filter((peer) => peer !== ours && peer !== blank));
  await write(next, 'while it was down');
  await ours.start();
  await cluster.agree(cluster.peers, n + 2);
}

/** Right after it voted for Go, as the leader that it was elected to be, after it handed back, and once it was removed. */
export async function isKilledAtTurns(): Promise<void> {
  const cluster = await Cluster.make();
  const one = await cluster.addGo('go1');
  const two = await cluster.addGo('go2');
  const ours = await cluster.addOurs('ours');
  await cluster.bootstrap(one, two);
  const first = await cluster.leader();
  await ours.start();
  await first.admin.addVoter(ours.id, ours.address);
  await writeMany(first, 3, 'by all');
  await cluster.agree(cluster.peers, 3);

  // Of three, one is down: who leads next does so by its vote, and is deposed where that was not on the disk.
  await handLeadership(cluster, two);
  await two.kill();
  await leadsAfterAll(cluster, one, ours);
  await ours.kill();
  await ours.start();
  await two.start();
  await write(await cluster.leader(), 'behind its vote');
  await cluster.agree(cluster.peers, 4);

  // go2 lacks what the two others committed, so that ours alone can be elected.
  await handLeadership(cluster, one);
  await two.kill();
  await writeMany(one, 3, 'without go2');
  await cluster.agree([one, ours], 7);
  await one.kill();
  await two.start();
  await leads(ours);
  await write(ours, 'elected');
  await ours.kill();
  await one.start();
  await write(await cluster.leader([one, two]), 'while it was down');
  await ours.start();
  await cluster.agree(cluster.peers, 9);

  await handLeadership(cluster, ours);
  await write(ours, 'before it hands back');
  await handLeadership(cluster, one);
  await ours.kill();
  await write(one, 'handed back');
  await ours.start();
  await cluster.agree(cluster.peers, 11);

  await one.admin.remove(ours.id);
  await hasSuffrage([one, two], ours.id, undefined);
  await ours.kill();
  await ours.start();
  await isNotDisturbed(one);
  expect((await one.admin.machine()).hash).toBe((await cluster.agree([one, two], 11)).hash);
}

/** The Go server of these two; ours gives its vote, and where it won itself it hands over. */
async function leadsAfterAll(cluster: Cluster, go: Peer, ours: Peer): Promise<void> {
  if ((await cluster.leader([go, ours])) !== go) await ours.admin.transfer(go);
  await leads(go);
}

/** Seen within a millisecond or two: the next moment it may be whole. */
async function isHalfWritten(folder: string, suffix: string): Promise<void> {
  const giveUpAtMs = Date.now() + HALF_WRITTEN_LIMIT_MS;
  while (!namesIn(folder).some((name) => name.endsWith(suffix))) {
    if (Date.now() > giveUpAtMs) throw new Error(`no snapshot in ${folder} was seen half written`);
    await delay(1);
  }
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
