/** Raft servers in one process, over links that a test can cut. Everything else is the real thing. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Refusal } from '../../../src/base/result.ts';
import type { IncomingAsk, OpenLinks, OutgoingCall, RaftLinks } from '../../../src/node/raft/links.ts';
import { bootstrap } from '../../../src/node/raft/open-server.ts';
import {
  DEFAULT_SHELL_LIMITS,
  DEFAULT_SNAPSHOT_POLICY,
  type RaftServerOptions,
} from '../../../src/node/raft/server-options.ts';
import { startRaftServer, type RaftServer } from '../../../src/node/raft/raft-server.ts';
import { SnapshotFiles } from '../../../src/node/raft/snapshot-files.ts';
import { DEFAULT_LIMITS } from '../../../src/raft/contract.ts';
import type { Configuration, ServerId } from '../../../src/raft/messages.ts';
import { LevelStore } from '../../../src/store/level-store.ts';
import { RecorderMachine } from '../../interop/recorder-machine.ts';
import { configurationCodec } from '../../../src/raft/wire/configuration-codec.ts';

/** A disk that others use as well may owe a write for long. */
const TIMINGS = { heartbeatMs: 1000, electionMs: 1000, leaseMs: 1000, commitMs: 10 };

/** A network of servers by name, whose address is their name. */
export class TestNetwork {
  readonly #servers = new Map<ServerId, (ask: IncomingAsk) => void>();
  readonly #cut = new Set<ServerId>();
  /** Whole snapshots that were sent to each server. */
  readonly snapshotsTo = new Map<ServerId, number>();

  linksOf(id: ServerId): OpenLinks {
    return async (ask) => {
      this.#servers.set(id, ask);
      return this.#links(id);
    };
  }

  /** Nothing goes to this server or comes from it. */
  cut(id: ServerId): void {
    this.#cut.add(id);
  }

  heal(): void {
    this.#cut.clear();
  }

  #links(id: ServerId): RaftLinks {
    return {
      call: (call) => void setImmediate(() => this.#call(id, call)),
      configured: () => undefined,
      stop: async () => void this.#servers.delete(id),
    };
  }

  #call(from: ServerId, { answered, body, failed, request, to }: OutgoingCall): void {
    const server = this.#servers.get(to);
    const isCut = () => this.#cut.has(from) || this.#cut.has(to) || !this.#servers.has(from);
    if (server === undefined || isCut()) return failed('unreachable');
    if (request.kind === 'installSnapshot') this.snapshotsTo.set(to, (this.snapshotsTo.get(to) ?? 0) + 1);
    server({
      from,
      isListed: true,
      request,
      body,
      answer: (response) => void setImmediate(() => (isCut() ? failed('closed') : answered(response))),
      refuse: () => void setImmediate(() => failed('error')),
    });
  }
}

export interface TestServer {
  readonly id: ServerId;
  readonly server: RaftServer<number>;
  readonly machine: RecorderMachine;
  readonly store: LevelStore;
  readonly refusals: Refusal[];
  readonly fatal: unknown[];
  stop(): Promise<void>;
}

export class TestCluster {
  readonly network = new TestNetwork();
  readonly servers = new Map<ServerId, TestServer>();
  readonly #root: string;
  readonly #overrides: Partial<RaftServerOptions<number>>;

  private constructor(root: string, overrides: Partial<RaftServerOptions<number>>) {
    this.#root = root;
    this.#overrides = overrides;
  }

  static async make(overrides: Partial<RaftServerOptions<number>> = {}): Promise<TestCluster> {
    return new TestCluster(await mkdtemp(join(tmpdir(), 'raft-')), overrides);
  }

  /** @param first the configuration to begin a cluster with; none for a server that joins or comes back */
  async start(
    id: ServerId,
    first: readonly ServerId[] | null = null,
    overrides: Partial<RaftServerOptions<number>> = {},
  ): Promise<TestServer> {
    const directory = join(this.#root, id);
    const store = await LevelStore.open(join(directory, 'ledger'), { create: true });
    try {
      return await this.#start(id, directory, store, first, overrides);
    } catch (error) {
      await store.close();
      throw error;
    }
  }

  async #start(
    id: ServerId,
    directory: string,
    store: LevelStore,
    first: readonly ServerId[] | null,
    overrides: Partial<RaftServerOptions<number>>,
  ): Promise<TestServer> {
    if (first !== null) await bootstrap(store, configurationCodec, configurationOf(first));
    const machine = new RecorderMachine(store, 100_000);
    const refusals: Refusal[] = [];
    const fatal: unknown[] = [];
    const snapshots = await SnapshotFiles.open({
      folder: join(directory, 'raft', 'snapshots'),
      maxBytes: 1 << 30,
      reserveBytes: 0,
    });
    const server = await startRaftServer<number>({
      self: { id, address: id },
      protocolVersion: 3,
      timings: TIMINGS,
      limits: DEFAULT_LIMITS,
      shellLimits: DEFAULT_SHELL_LIMITS,
      snapshotPolicy: DEFAULT_SNAPSHOT_POLICY,
      seed: id.charCodeAt(0),
      codec: configurationCodec,
      pinnedHistory: null,
      store,
      snapshots,
      machine,
      openLinks: this.network.linksOf(id),
      nowMs: () => performance.now(),
      outlets: {
        leaderChanged: () => undefined,
        configurationChanged: () => undefined,
        refused: (_from, refusal) => void refusals.push(refusal),
        snapshotFailed: (error) => void fatal.push(error),
        fatal: (error) => void fatal.push(error),
      },
      ...this.#overrides,
      ...overrides,
    });
    const stop = async () => {
      this.servers.delete(id);
      await server.stop();
      await store.close();
    };
    const started = { id, server, machine, store, refusals, fatal, stop };
    this.servers.set(id, started);
    return started;
  }

  directoryOf(id: ServerId): string {
    return join(this.#root, id);
  }

  /** What a stopped server had on its disk is gone. */
  async wipe(id: ServerId): Promise<void> {
    await rm(join(this.#root, id), { recursive: true });
  }

  async leader(): Promise<TestServer> {
    return eventually('a leader that its quorum knows', () => {
      for (const one of this.servers.values()) {
        const { commitIndex, role } = one.server.status();
        if (role === 'leader' && commitIndex > 0) return one;
      }
      return undefined;
    });
  }

  async stop(): Promise<void> {
    for (const server of [...this.servers.values()]) await server.stop();
    await rm(this.#root, { recursive: true });
  }
}

export function configurationOf(ids: readonly ServerId[]): Configuration {
  return { servers: ids.map((id) => ({ id, address: id, suffrage: 'voter' })) };
}

/** @throws Error when the fact is not there within ten seconds */
export async function eventually<T>(what: string, look: () => T | undefined | false): Promise<T> {
  const deadline = performance.now() + 10_000;
  for (;;) {
    const found = look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > deadline) throw new Error(`not within ten seconds: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
