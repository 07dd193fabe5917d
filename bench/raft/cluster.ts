/**
 * Three servers that commit what is proposed inside their leader's process, whoever wrote them: what is measured is the
 * replication, on the same machine, with the same load, and a state machine that keeps a hash chain of the commands.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { eventually } from '../../test/eventually.ts';
import type { BenchFigures } from '../../test/interop/admin.ts';
import { bootstrapFlag } from '../../test/interop/go-launch.ts';
import { Peer, type Launch } from '../../test/interop/peer.ts';
import { freePort } from '../../test/interop/ports.ts';
import type { Summary } from '../measure.ts';
import { measureFailover } from './failover.ts';

/** How much is written, and how many commands are in flight at a time. */
export interface RaftLoad {
  readonly inFlight: number;
  readonly commands: number;
  readonly warmUp: number;
  readonly commandBytes: number;
}

export interface RaftFigures {
  readonly inFlight: number;
  readonly perSecond: number;
  readonly latency: Summary;
}

export interface ClusterUnderTest {
  readonly name: string;
  /** @param parent folder on the disk that is to be measured */
  start(parent: string): Promise<void>;
  /** On a cluster that is started and has its leader. */
  run(load: RaftLoad): Promise<RaftFigures>;
  /** Of so many leaders, one after the other. */
  failover(kills: number): Promise<Summary>;
  stop(): Promise<void>;
}

const RUN_LIMIT_MS = 300_000;
const ATTEMPTS = 5;

/** Servers with the admin port of `test/interop/go-peer/README.md`. The first leads. */
export class PeerCluster implements ClusterUnderTest {
  readonly name: string;
  readonly #launches: readonly Launch[];
  #directory = '';
  #peers: readonly Peer[] = [];

  constructor(name: string, launches: readonly Launch[]) {
    this.name = name;
    this.#launches = launches;
  }

  async start(parent: string): Promise<void> {
    this.#directory = await mkdtemp(join(parent, 'hlb-raft-'));
    this.#peers = await Promise.all(
      this.#launches.map(async (launch, i) => {
        const place = { id: `n${i + 1}`, address: `127.0.0.1:${await freePort()}`, adminPort: await freePort() };
        return new Peer({ ...place, directory: join(this.#directory, place.id) }, launch);
      }),
    );
    await Promise.all(this.#peers.map((peer) => peer.start([bootstrapFlag(this.#peers)])));
    await this.#firstLeads();
  }

  async run(load: RaftLoad): Promise<RaftFigures> {
    for (let attempt = 1; ; attempt++) {
      const leader = await this.#firstLeads();
      try {
        return await this.#measure(leader, load);
      } catch (error) {
        // The leader has lost its place, as may happen where something else takes all the processor.
        if ((error as { code?: string }).code !== 'peer-refused' || attempt === ATTEMPTS) throw error;
        console.error(`once more: ${this.name}, ${load.inFlight} in flight: ${(error as Error).message}`);
      }
    }
  }

  async #measure(leader: Peer, { commandBytes, commands, inFlight, warmUp }: RaftLoad): Promise<RaftFigures> {
    const load = { n: commands, c: inFlight, size: commandBytes, warm: warmUp };
    const figures: BenchFigures = await leader.admin.bench(load, RUN_LIMIT_MS);
    await this.#agree();
    const latency = { samples: commands, p50Ms: figures.p50_ms, p99Ms: figures.p99_ms };
    return { inFlight, perSecond: figures.ops_s, latency };
  }

  failover(kills: number): Promise<Summary> {
    return measureFailover(this.#peers, kills);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#peers.map((peer) => peer.kill()));
    await rm(this.#directory, { recursive: true, force: true });
  }

  /** Waits for a leader, and has leadership handed to the first server where it is another. */
  #firstLeads(): Promise<Peer> {
    return eventually(`${this.name}: the first server leads`, async () => {
      const [first] = this.#peers;
      const statuses = await Promise.all(this.#peers.map((peer) => peer.admin.status()));
      const leader = this.#peers[statuses.findIndex(({ role }) => role === 'Leader')];
      if (first === undefined || leader === undefined) return undefined;
      if (leader === first) return first;
      await leader.admin.transfer(first).catch((error: unknown) => {
        if ((error as { code?: string }).code !== 'peer-refused') throw error;
      });
      return undefined;
    });
  }

  /** What was counted was applied everywhere, and is the same. */
  async #agree(): Promise<void> {
    await eventually(`${this.name}: the machines agree`, async () => {
      const hashes = await Promise.all(this.#peers.map(async (peer) => (await peer.admin.machine()).hash));
      return new Set(hashes).size === 1 || undefined;
    });
  }
}
