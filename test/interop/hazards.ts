/** What breaks clusters of hashicorp/raft, with a server of ours among real Go servers: it must not be what breaks. */
import { expect } from 'vitest';
import type { RaftRequest } from '../../src/raft/messages.ts';
import { DEFAULT_DIALECT } from '../../src/raft/wire/dialect.ts';
import { encodeRequest } from '../../src/raft/wire/request-codec.ts';
import { eventually } from '../eventually.ts';
import { Cluster, write } from './cluster.ts';
import { handLeadership, hasSuffrage, holdsSameLogs, leads, writeMany } from './facts.ts';
import { bootstrapFlag, FAST_TIMINGS } from './go-launch.ts';
import type { Peer } from './peer.ts';
import { WireClient } from './wire-client.ts';
import { commandsOf, faultsOf, Writers } from './writers.ts';

/** How long a cluster is watched for something that must not happen, while writes go on. */
const WATCHED_MS = 6 * FAST_TIMINGS.electionMs;

/** Waits until the server has written this to its log. */
export async function says(peer: Peer, what: RegExp): Promise<string> {
  return eventually(`${peer.id} says ${String(what)}`, () => what.exec(peer.log())?.[0]);
}

/** Writes through the leader all the time; it must keep leading, in its term. */
export async function isNotDisturbed(leader: Peer): Promise<void> {
  const { term } = await leader.admin.status();
  const watchedUntilMs = performance.now() + WATCHED_MS;
  while (performance.now() < watchedUntilMs) await write(leader, 'undisturbed');
  expect(await leader.admin.status()).toMatchObject({ term, role: 'Leader' });
}

/**
 * A server that was given a cluster of its own, of the same terms and with entries at the same indexes, is added to
 * another cluster: nothing of the one ever gets into the other.
 */
export async function neverMerges(role: 'addVoter' | 'addNonvoter'): Promise<void> {
  const cluster = await Cluster.ofGo(3);
  const leader = await cluster.leader();
  await writeMany(leader, 10, 'of the cluster');
  const own = await cluster.addOurs('alone');
  await own.start([bootstrapFlag([own])]);
  await leads(own);
  await writeMany(own, 5, 'of its own');
  const before = await own.admin.machine();

  await leader.admin[role](own.id, own.address);
  const told = await says(own, /raft-foreign-history.*/);
  expect(told).toContain(leader.id);
  await isNotDisturbed(leader);
  expect(await own.admin.machine()).toEqual(before);
  const others = cluster.peers.filter((peer) => peer !== own);
  await cluster.agree(others, 10);
}

/**
 * @param trailing of the Go servers: whether they can still show the first entry of the log
 * @param snapshotAt whether the snapshot that they show instead is of before the server went, or newer than its log
 */
export async function comesBackToStrangers(trailing: number, snapshotAt: 'before' | 'after'): Promise<void> {
  const cluster = await Cluster.ofGo(2, { trailing });
  const old = [...cluster.peers];
  const first = await cluster.leader();
  const away = await cluster.addOurs('away', { trailing });
  await away.start();
  await first.admin.addVoter(away.id, away.address);
  await writeMany(first, 20, 'before it went');
  await cluster.agree(cluster.peers, 20);
  if (snapshotAt === 'before') await first.admin.snapshot();
  await away.kill();

  const fresh = [await cluster.addGo('go3', { trailing }), await cluster.addGo('go4', { trailing })];
  for (const peer of fresh) {
    await peer.start();
    await first.admin.addVoter(peer.id, peer.address);
  }
  await handLeadership(cluster, fresh[0]!);
  for (const peer of old) {
    await fresh[0]!.admin.remove(peer.id);
    await peer.kill();
  }
  await writeMany(fresh[0]!, 20, 'while it was away');
  if (snapshotAt === 'after') await fresh[0]!.admin.snapshot();

  // Of all that it knows, nobody is left; only the operator's list says who the others are now.
  await away.start([`-cluster=${old.map(({ id, address }) => `${id}=${address}`).join(',')}`]);
  await says(away, /raft-stranger.*/);
  await isNotDisturbed(fresh[0]!);
  await away.kill();
  await away.start();
  await cluster.agree([...fresh, away], 40);
  await hasSuffrage([...fresh, away], away.id, 'Voter');
  await fresh[1]!.kill();
  await write(fresh[0]!, 'with its vote');
}

/** The disk of a server of ours that leads hangs: the others elect another, and it follows when its disk is back. */
export async function yieldsWhenItsDiskHangs(): Promise<void> {
  const { cluster, ours } = await ledByOurs(2);
  await writeMany(ours, 10, 'before');
  await ours.admin.stall(600_000);
  // A disk that nothing is written to is missed by nobody.
  const stuck = ours.admin.apply('when the disk hangs');
  const others = cluster.peers.filter((peer) => peer !== ours);
  const next = await cluster.leader(others);
  await writeMany(next, 10, 'while the disk hangs');
  await ours.admin.stall(0);
  expect((await stuck).kind).not.toBe('refused');
  const { count } = await cluster.agree(cluster.peers, 20);
  // The others may have taken it before its own disk had it.
  expect([20, 21]).toContain(count);
  await holdsSameLogs(ours, next);
}

/** A leader without its quorum acknowledges nothing, and says that it does not know. */
export async function doesNotKnow(): Promise<void> {
  const { cluster, ours } = await ledByOurs(2);
  await writeMany(ours, 10, 'before');
  const others = cluster.peers.filter((peer) => peer !== ours);
  for (const peer of others) await peer.kill();
  const outcome = await ours.admin.apply('to nobody');
  expect(outcome).toEqual({ kind: 'unknown', why: 'leadership lost while committing log' });
  for (const peer of others) await peer.start();
  await write(await cluster.leader(), 'to all');
  const { count } = await cluster.agree(cluster.peers, 11);
  expect([11, 12]).toContain(count);
}

/** Demoted, and later removed while it is down, so that it never hears of it: it is no trouble, and elected by nobody. */
export async function goesQuietly(): Promise<void> {
  const cluster = await Cluster.ofGo(3);
  const leader = await cluster.leader();
  const ours = await cluster.addOurs('ours');
  await ours.start();
  await leader.admin.addVoter(ours.id, ours.address);
  await hasSuffrage(cluster.peers, ours.id, 'Voter');
  await leader.admin.demote(ours.id);
  await hasSuffrage(cluster.peers, ours.id, 'Nonvoter');
  await isNotDisturbed(leader);
  await leader.admin.addVoter(ours.id, ours.address);
  await hasSuffrage(cluster.peers, ours.id, 'Voter');
  await ours.kill();
  await leader.admin.remove(ours.id);
  await ours.start();
  await isNotDisturbed(leader);
  expect((await ours.admin.status()).role).not.toBe('Leader');
}

const TRANSFERS = 8;

/**
 * Under load a server of ours hands leadership to Go servers, to each in its turn, and is handed it back. What it is asked
 * for it does at the first time of asking; hashicorp/raft may refuse, and is asked again.
 */
export async function handsOverUnderLoad(): Promise<void> {
  const { cluster, ours } = await ledByOurs(2);
  const writers = new Writers(cluster.peers, 8);
  const others = cluster.peers.filter((peer) => peer !== ours);
  for (let i = 0; i < TRANSFERS; i++) {
    await writers.more(50);
    const to = others[i % others.length]!;
    expect((await cluster.leader()).id).toBe(ours.id);
    await ours.admin.transfer(to);
    expect((await cluster.leader()).id).toBe(to.id);
    await writers.more(50);
    await handLeadership(cluster, ours);
  }
  await writers.finish();
  await cluster.agree();
  for (const peer of cluster.peers) expect(faultsOf(await commandsOf(peer), writers)).toEqual([]);
}

/** A cluster of so many Go servers and one of ours, which leads. */
export async function ledByOurs(go: number): Promise<{ readonly cluster: Cluster; readonly ours: Peer }> {
  const cluster = await Cluster.ofGo(go);
  const first = await cluster.leader();
  const ours = await cluster.addOurs('ours');
  await ours.start();
  await first.admin.addVoter(ours.id, ours.address);
  await handLeadership(cluster, ours);
  return { cluster, ours };
}

const FAR_TERM = 9_000;
const STRANGER = { id: 'intruder', address: '127.0.0.1:9' };
const SOMEWHERE_ELSE = '127.0.0.2';

/**
 * Whoever is nobody of this cluster, or is not where he says, is told so: his term is not taken, by whatever request, in
 * the words of old versions or of new ones. A pre-vote of a member is answered, as versions before 1.7 do not.
 */
export async function obeysNoStranger(): Promise<void> {
  const cluster = await Cluster.ofGo(2);
  const leader = await cluster.leader();
  const ours = await cluster.addOurs('ours');
  await ours.start();
  await leader.admin.addVoter(ours.id, ours.address);
  await hasSuffrage([ours], ours.id, 'Voter');
  const { term } = await ours.admin.status();
  for (const dialect of [DEFAULT_DIALECT, { ...DEFAULT_DIALECT, header: 'none' } as const]) {
    for (const request of requestsOf(STRANGER)) {
      expect(await told(ours, encodeRequest(request, dialect))).toContain('raft-stranger');
    }
    for (const request of requestsOf(leader)) {
      expect(await told(ours, encodeRequest(request, dialect), SOMEWHERE_ELSE)).toContain('raft-sender-mismatch');
    }
  }
  await isNotDisturbed(leader);
  expect((await ours.admin.status()).term).toBe(term);

  const client = await WireClient.to(ours.address);
  const preVote = {
    kind: 'preVote',
    ...headerOf(leader),
    term: term + 1,
    lastIndex: 1_000_000,
    lastTerm: term,
  } as const;
  const { values } = await client.ask(encodeRequest(preVote, DEFAULT_DIALECT));
  client.close();
  expect(values).toMatchObject(['', { Granted: true }]);
}

async function told(peer: Peer, request: Uint8Array, from?: string): Promise<unknown> {
  const client = await WireClient.to(peer.address, from);
  const { values } = await client.ask(request);
  client.close();
  return values[0];
}

type Named = Pick<Peer, 'id' | 'address'>;

function headerOf({ address, id }: Named) {
  return { protocolVersion: 3, sender: { id, address } };
}

/** Each in a term that is far ahead. */
function requestsOf(sender: Named): readonly RaftRequest[] {
  const header = { ...headerOf(sender), term: FAR_TERM };
  const last = { lastIndex: FAR_TERM, lastTerm: FAR_TERM };
  const { address } = sender;
  const append = {
    kind: 'appendEntries',
    ...header,
    leader: address,
    prevIndex: 0,
    prevTerm: 0,
    commitIndex: 0,
  } as const;
  return [
    { ...append, entries: null },
    { ...append, entries: [] },
    { kind: 'requestVote', ...header, ...last, candidate: address, isTransfer: false },
    { kind: 'requestVote', ...header, ...last, candidate: address, isTransfer: true },
  ];
}
