/** A cluster under load whose leader is killed again and again, and what must be true of it at the end. */
import { expect } from 'vitest';
import { Random } from '../../src/base/random.ts';
import { Cluster } from './cluster.ts';
import { handLeadership, holdsSameLogs } from './facts.ts';
import type { Newcomer } from './newcomer.ts';
import type { Peer } from './peer.ts';
import { commandsOf, faultsOf, Writers, type Written } from './writers.ts';

export interface KillingOptions {
  readonly go: number;
  readonly newcomers: number;
  /** `kv`: the commands are those of the older system, each with a key of its own. */
  readonly machine: 'rec' | 'kv';
  readonly forMs: number;
}

const WRITERS = 8;
/** Commands between two kills: another number each time. */
const COMMANDS_MAX = 400;
/** Little, so that a server that was away needs a snapshot now and then. */
const TRAILING = 50;

/**
 * Kills the leader with -9 under load, and starts it again when the others have gone on; or stops it and lets it go on when
 * it has been replaced; takes snapshots in between.
 * At the end all machines hold the same, which is all that was acknowledged, and the logs agree.
 *
 * @returns how often each server was killed as leader
 */
export async function survivesKills(newcomer: Newcomer, options: KillingOptions): Promise<ReadonlyMap<string, number>> {
  const seed = Number(process.env['SEED'] ?? 1);
  const random = new Random(seed);
  const cluster = await mixedCluster(newcomer, options);
  const isMap = options.machine === 'kv';
  const writers = new Writers(cluster.peers, WRITERS, isMap ? setCommand : undefined);
  const kills = new Map(cluster.peers.map(({ id }) => [id, 0]));
  const endMs = performance.now() + options.forMs;
  const kill = async (leader: Peer): Promise<void> => {
    await leader.kill();
    kills.set(leader.id, (kills.get(leader.id) ?? 0) + 1);
    await writers.more(1 + random.below(COMMANDS_MAX));
    await leader.start();
  };
  while (performance.now() < endMs) {
    await writers.more(1 + random.below(COMMANDS_MAX));
    const leader = await cluster.leader();
    if (random.below(2) === 0) await snapshot(random.pick(cluster.peers));
    if (random.below(4) === 0) await pause(cluster, writers, leader);
    else await kill(leader);
  }
  // Who led is chance; who was never killed as leader is handed leadership for it, under load.
  for (const peer of cluster.peers.filter(({ id }) => kills.get(id) === 0)) {
    await handLeadership(cluster, peer);
    await kill(peer);
  }
  await writers.finish();
  await verdict(cluster, writers, isMap ? keysOf : commandsOf);
  return kills;
}

async function mixedCluster(newcomer: Newcomer, { go, machine, newcomers }: KillingOptions): Promise<Cluster> {
  const cluster = await Cluster.ofGo(go, { machine, trailing: TRAILING });
  const first = await cluster.leader();
  for (let i = 1; i <= newcomers; i++) {
    const peer = await newcomer.place(cluster, `new${i}`, { machine, trailing: TRAILING });
    await peer.start();
    await first.admin.addVoter(peer.id, peer.address);
  }
  return cluster;
}

/** The leader gets no turn until another leads, and then finds itself in a term that is over. */
async function pause(cluster: Cluster, writers: Writers, leader: Peer): Promise<void> {
  leader.signal('SIGSTOP');
  try {
    await cluster.leader(cluster.peers.filter((peer) => peer !== leader));
    await writers.more(1);
  } finally {
    leader.signal('SIGCONT');
  }
}

/** Refused where nothing was applied since the last one. */
async function snapshot(peer: Peer): Promise<void> {
  await peer.admin.snapshot().catch((error: unknown) => {
    if ((error as { code?: string }).code !== 'peer-refused') throw error;
  });
}

function setCommand(name: string): string {
  return JSON.stringify({ Op: 'set', Key: name, Value: { of: name } });
}

/** What a map holds; at which index each was written it does not know. */
async function keysOf(peer: Peer, { acknowledged }: Writers): Promise<readonly Written[]> {
  const map = JSON.parse(Buffer.from(await peer.admin.dump()).toString()) as Readonly<Record<string, { of: string }>>;
  const said = new Map(acknowledged.map(({ command, index }) => [command, index]));
  return Object.values(map).map(({ of }) => ({ index: said.get(setCommand(of)) ?? 0, command: setCommand(of) }));
}

async function verdict(
  cluster: Cluster,
  writers: Writers,
  writtenTo: (peer: Peer, writers: Writers) => Promise<readonly Written[]>,
): Promise<void> {
  await cluster.leader();
  await cluster.agree();
  for (const peer of cluster.peers) {
    const faults = faultsOf(await writtenTo(peer, writers), writers);
    expect([peer.id, faults.slice(0, 10)]).toEqual([peer.id, []]);
  }
  // Each leads once more, which makes the logs of all the same where they reach.
  for (const peer of cluster.peers) await handLeadership(cluster, peer);
  await cluster.agree();
  const [first, ...others] = cluster.peers;
  for (const other of others) await holdsSameLogs(first!, other);
}
