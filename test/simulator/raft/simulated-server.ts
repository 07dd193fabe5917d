/**
 * One server of a simulated Raft cluster: the production server over a simulated disk, clock and network. What outlives
 * its process is here; what ends with it is a `RaftLife`.
 */
import type { ByteConnection, RemoteIdentity } from '../../../src/net/byte-streams.ts';
import { networkLinks } from '../../../src/node/raft/network-links.ts';
import { bootstrap } from '../../../src/node/raft/open-server.ts';
import { startRaftServer, type RaftServer } from '../../../src/node/raft/raft-server.ts';
import { DEFAULT_SHELL_LIMITS } from '../../../src/node/raft/server-options.ts';
import { DEFAULT_LIMITS } from '../../../src/raft/contract.ts';
import type { Configuration, Entry, Server } from '../../../src/raft/messages.ts';
import { configurationCodec } from '../../../src/raft/wire/configuration-codec.ts';
import type { Dialect } from '../../../src/raft/wire/dialect.ts';
import { fractionOf, seedOf } from '../dice.ts';
import { Machine, MachineProcess, type MachineSurroundings } from '../machine.ts';
import { instantStore } from '../simulated-disk.ts';
import type { Tally } from '../tally.ts';
import type { RaftCast } from './cast.ts';
import { Registers, type Written } from './registers.ts';
import type { Endpoint } from './simulated-connection.ts';
import { SimulatedSnapshots, SnapshotFolder } from './simulated-snapshots.ts';
import type { Listening, NetworkedMachine, SimulatedStreams } from './simulated-streams.ts';

/** What a server is surrounded by. */
export interface ServerSurroundings extends MachineSurroundings<SimulatedServer> {
  readonly seed: number;
  readonly cast: RaftCast;
  readonly network: SimulatedStreams;
  readonly tally: Tally;
  /** The operators' list of the cluster. */
  readonly listed: () => readonly Pick<Server, 'id' | 'address'>[];
  readonly onStarted: (life: RaftLife) => void;
  readonly onApplied: (life: RaftLife, entry: Entry, digest: string) => void;
  readonly onRestored: (life: RaftLife, index: number, digest: string) => void;
  readonly onFatal: (life: RaftLife, error: unknown) => void;
  readonly onDoomed: (life: RaftLife) => void;
}

/** Until a call is answered, in election timeouts. */
export const CALL_TIMEOUTS = 10;
/** As versions before 1.3.7 speak. */
const OLD_DIALECT: Partial<Dialect> = { header: 'none', appendedAt: 'none', preVote: false };

export class SimulatedServer extends Machine<RaftLife> implements NetworkedMachine {
  readonly serverId: string;
  readonly address: string;
  readonly identity: RemoteIdentity;
  readonly isOld: boolean;
  readonly snapshots = new SnapshotFolder();
  /** Switched off for good: it was removed. */
  isRetired = false;
  readonly #surroundings: ServerSurroundings;

  constructor(id: number, surroundings: ServerSurroundings) {
    super(id, surroundings.scheduler);
    const { cast } = surroundings;
    const { address, identity, serverId } = nameOf(id, cast.streams);
    this.serverId = serverId;
    this.address = address;
    this.identity = identity;
    this.isOld = cast.old.includes(id);
    this.#surroundings = surroundings;
  }

  get closesOnPreVote(): boolean {
    return this.isOld;
  }

  /** The first entry of the cluster is on its disk. */
  async bootstrap(configuration: Configuration): Promise<void> {
    await bootstrap(instantStore(this.disk), configurationCodec, configuration);
  }

  start(): void {
    this.lives++;
    const life = new RaftLife(this, this.#surroundings);
    this.life = life;
    this.#surroundings.scheduler.run(life, () => {
      life.begin().catch((error: unknown) => {
        if (!life.ended) this.#surroundings.onFatal(life, error);
      });
    });
  }

  protected stopped(life: RaftLife, withPower: boolean): void {
    this.#surroundings.network.stopped(life, withPower);
  }
}

/** One process, from its start to its end. */
export class RaftLife extends MachineProcess implements Endpoint, Listening {
  readonly node: SimulatedServer;
  onConnection: ((connection: ByteConnection) => void) | null = null;
  server: RaftServer<Written> | null = null;
  registers: Registers | null = null;
  pausedUntilMs = 0;
  readonly #surroundings: ServerSurroundings;
  #fractions = 0;

  constructor(node: SimulatedServer, surroundings: ServerSurroundings) {
    super(node, surroundings.scheduler, (sync) => surroundings.writeMs(node, sync));
    this.node = node;
    this.#surroundings = surroundings;
  }

  get machine(): number {
    return this.node.id;
  }

  /** For deadlines of its connections, and for the server itself. */
  monotonicMs(): number {
    return this.node.clock.nowMs();
  }

  /** For its pauses between dials. */
  fraction(): number {
    return fractionOf(this.#surroundings.seed, 6, this.node.id, this.node.lives, this.#fractions++);
  }

  protected doomed(): void {
    this.#surroundings.onDoomed(this);
  }

  async begin(): Promise<void> {
    const { cast, listed, network, onApplied, onFatal, onRestored, onStarted, scheduler, seed } = this.#surroundings;
    const { node, store } = this;
    const self = { id: node.serverId, address: node.address };
    const registers = await Registers.open(store, {
      // What it still computes in the turn that it ends in happens to nobody.
      applied: (entry, digest) => {
        if (!this.ended) onApplied(this, entry, digest);
      },
      restored: (index, digest) => {
        if (!this.ended) onRestored(this, index, digest);
      },
    });
    this.registers = registers;
    this.server = await startRaftServer<Written>({
      self,
      protocolVersion: cast.protocolVersion,
      timings: cast.timings,
      limits: { ...DEFAULT_LIMITS, ...cast.limits },
      shellLimits: DEFAULT_SHELL_LIMITS,
      snapshotPolicy: cast.snapshots,
      pinnedHistory: null,
      seed: seedOf(seed, 4, node.id, node.lives),
      codec: configurationCodec,
      store,
      snapshots: new SimulatedSnapshots(node.snapshots, scheduler, this, this.diskFaults),
      machine: registers,
      openLinks: networkLinks({
        self,
        streams: network.streamsOf(this, node),
        protocolVersion: cast.protocolVersion,
        listed,
        // As the defaults are to an election of one second.
        clientLimits: {
          callDeadlineMs: CALL_TIMEOUTS * cast.timings.electionMs,
          dialDeadlineMs: (CALL_TIMEOUTS / 2) * cast.timings.electionMs,
        },
        dialect: node.isOld ? OLD_DIALECT : {},
      }),
      nowMs: () => this.monotonicMs(),
      outlets: {
        leaderChanged: () => undefined,
        configurationChanged: () => undefined,
        refused: (_from, { code }) => this.#surroundings.tally.count(`refused: ${code}`),
        snapshotFailed: () => this.#surroundings.tally.count('snapshot: could not be taken'),
        fatal: (error) => {
          if (!this.ended) onFatal(this, error);
        },
      },
    });
    onStarted(this);
  }
}

function nameOf(id: number, streams: RaftCast['streams']) {
  if (streams === 'libp2p') {
    const peerId = `12D3KooW${String(id).padStart(44, '1')}`;
    return { serverId: peerId, address: peerId, identity: { kind: 'peer', peerId } as const };
  }
  const ip = `10.0.0.${id + 1}`;
  return { serverId: `n${id}`, address: `${ip}:7000`, identity: { kind: 'address', ip } as const };
}
