/** Servers of one test: each a process, Go's or ours, gone after it, their logs shown when it fails. */
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { onTestFinished } from 'vitest';
import { eventually } from '../eventually.ts';
import type { MachineReport } from './admin.ts';
import { goPeer } from './go-build.ts';
import { bootstrapFlag, FAST_TIMINGS, goLaunch, type PeerOptions } from './go-launch.ts';
import { ourLaunch } from './our-launch.ts';
import { Peer, type Launch } from './peer.ts';
import { freePort } from './ports.ts';

const LOG_LINES_SHOWN = 25;

const USUAL: PeerOptions = { machine: 'rec', store: 'bolt', timings: FAST_TIMINGS };

export class Cluster {
  readonly directory: string;
  readonly peers: Peer[] = [];

  private constructor(directory: string) {
    this.directory = directory;
  }

  static async make(): Promise<Cluster> {
    const cluster = new Cluster(await mkdtemp(join(tmpdir(), 'hl-interop-')));
    onTestFinished(async ({ task }) => {
      if (task.result?.state === 'fail') await cluster.#explain();
      await Promise.all(cluster.peers.map((peer) => peer.kill()));
      await rm(cluster.directory, { recursive: true, force: true });
    });
    return cluster;
  }

  /** Go servers that have formed a cluster, with a leader that all of them know. */
  static async ofGo(count: number, options: Partial<PeerOptions> = {}): Promise<Cluster> {
    const cluster = await Cluster.make();
    for (let i = 1; i <= count; i++) await cluster.addGo(`go${i}`, options);
    await cluster.bootstrap(...cluster.peers);
    await cluster.leader();
    return cluster;
  }

  /** A place for a server, which is not started yet. Below protocol version 3 a server's id is its address. */
  async #add(name: string, launch: Launch, { protocol }: Partial<PeerOptions>): Promise<Peer> {
    const address = `127.0.0.1:${await freePort()}`;
    const id = protocol === 2 ? address : name;
    const place = { id, address, adminPort: await freePort(), directory: join(this.directory, name) };
    const peer = new Peer(place, launch);
    this.peers.push(peer);
    return peer;
  }

  /** A Go server, which is not started yet: on BoltDB, with fast timings and the recorder, where nothing else is said. */
  async addGo(id: string, options: Partial<PeerOptions> = {}): Promise<Peer> {
    return this.#add(id, goLaunch(await goPeer(), { ...USUAL, ...options }), options);
  }

  /** A server of ours, which is not started yet. The operator's list names all servers that have a place when it starts. */
  async addOurs(id: string, options: Partial<PeerOptions> = {}): Promise<Peer> {
    const launch = ourLaunch({ ...USUAL, ...options }, () => this.peers);
    return this.#add(id, launch, options);
  }

  /** Starts these for the first time, as the voters of a new cluster. */
  async bootstrap(...voters: readonly Peer[]): Promise<void> {
    const flag = bootstrapFlag(voters);
    await Promise.all(voters.map((peer) => peer.start([flag])));
  }

  peer(id: string): Peer {
    const found = this.peers.find((peer) => peer.id === id);
    if (found === undefined) throw new Error(`no server is called ${id}`);
    return found;
  }

  running(): Peer[] {
    return this.peers.filter((peer) => peer.isRunning);
  }

  /** Waits until one of these leads and all of them know it, in one term. */
  async leader(among: readonly Peer[] = this.running()): Promise<Peer> {
    return eventually(`${names(among)} have one leader`, async () => {
      const statuses = await Promise.all(among.map((peer) => peer.admin.status()));
      const [leader, ...others] = statuses.filter(({ role }) => role === 'Leader');
      if (leader === undefined || others.length > 0) return undefined;
      const peer = this.peer(leader.id);
      const known = statuses.every(({ term, leader: address }) => term === leader.term && address === peer.address);
      return known ? peer : undefined;
    });
  }

  /** Waits until these machines hold the same, after at least so many commands; the map counts those of its process. */
  async agree(among: readonly Peer[] = this.running(), minCount = 0): Promise<MachineReport> {
    return eventually(`the machines of ${names(among)} agree after ${minCount} commands`, async () => {
      const [first, ...others] = await Promise.all(among.map((peer) => peer.admin.machine()));
      if (first === undefined) throw new Error('no server is named');
      const isSame = others.every(({ hash }) => hash === first.hash);
      return isSame && first.count >= minCount ? first : undefined;
    });
  }

  /** INTEROP_KEEP names a folder that takes all that the servers leave. */
  async #explain(): Promise<void> {
    for (const peer of this.peers) process.stderr.write(`--- ${peer.id}\n${peer.lastLogLines(LOG_LINES_SHOWN)}\n`);
    const keep = process.env['INTEROP_KEEP'];
    if (keep !== undefined) await cp(this.directory, join(keep, basename(this.directory)), { recursive: true });
  }
}

/**
 * Writes one command through this server, which leads.
 *
 * @returns its index in the log
 * @throws Error when it is not applied
 */
export async function write(leader: Peer, command: string | Uint8Array): Promise<number> {
  const outcome = await leader.admin.apply(command);
  if (outcome.kind !== 'applied') throw new Error(`${leader.id} did not apply a command: ${outcome.why}`);
  return outcome.index;
}

export function names(peers: readonly Peer[]): string {
  return peers.map(({ id }) => id).join(', ');
}
