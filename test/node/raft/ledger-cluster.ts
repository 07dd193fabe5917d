/** Members of a Raft cluster with their ledgers and submissions, in one process, over links that a test can cut. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ok } from '../../../src/base/result.ts';
import { signedEventFromJson, type SignedEvent } from '../../../src/ledger/event.ts';
import { unwrap } from '../../../src/base/result.ts';
import { EventVerifier } from '../../../src/node/event-verifier.ts';
import { generateIdentityKey, type IdentityKey } from '../../../src/node/keys.ts';
import { RaftLedger } from '../../../src/node/raft/ledger-machine.ts';
import type { LedgerOutcome } from '../../../src/node/raft/ledger-outcome.ts';
import { LedgerSubmissions } from '../../../src/node/raft/ledger-submissions.ts';
import { bootstrap } from '../../../src/node/raft/open-server.ts';
import { startRaftServer, type RaftServer } from '../../../src/node/raft/raft-server.ts';
import { DEFAULT_SHELL_LIMITS, DEFAULT_SNAPSHOT_POLICY } from '../../../src/node/raft/server-options.ts';
import { SnapshotFiles } from '../../../src/node/raft/snapshot-files.ts';
import { signEvent } from '../../../src/node/sign-event.ts';
import { verifyNative } from '../../../src/node/signature-native.ts';
import { configurationCodec } from '../../../src/raft/wire/configuration-codec.ts';
import { DEFAULT_LIMITS, type RaftLimits } from '../../../src/raft/contract.ts';
import { ENTRY_TYPES, type ServerId } from '../../../src/raft/messages.ts';
import { LevelStore } from '../../../src/store/level-store.ts';
import { Cluster } from '../../ledger/raft-cluster.ts';
import { configurationOf, eventually, TestNetwork } from './cluster.ts';

/** A disk that others use as well may owe a write for long. */
const TIMINGS = { heartbeatMs: 1000, electionMs: 1000, leaseMs: 1000, commitMs: 10 };

export interface LedgerMember {
  readonly id: ServerId;
  readonly server: RaftServer<LedgerOutcome>;
  readonly ledger: RaftLedger;
  readonly submissions: LedgerSubmissions;
  readonly verifier: EventVerifier;
  readonly fatal: unknown[];
  stop(): Promise<void>;
}

export class LedgerCluster extends Cluster {
  readonly network = new TestNetwork();
  readonly members = new Map<ServerId, LedgerMember>();
  readonly #root: string;
  readonly #limits: RaftLimits;

  private constructor(root: string, limits: RaftLimits) {
    super();
    this.#root = root;
    this.#limits = limits;
    this.now = Math.floor(Date.now() / 1000);
  }

  static async make(limits: Partial<RaftLimits> = {}): Promise<LedgerCluster> {
    return new LedgerCluster(await mkdtemp(join(tmpdir(), 'raft-ledger-')), { ...DEFAULT_LIMITS, ...limits });
  }

  async start(id: ServerId, first: readonly ServerId[] | null = null): Promise<LedgerMember> {
    const directory = join(this.#root, id);
    const store = await LevelStore.open(join(directory, 'ledger'), { create: true });
    if (first !== null) await bootstrap(store, configurationCodec, configurationOf(first));
    const fatal: unknown[] = [];
    const { chainId, genesis, validators } = this;
    const verifier = new EventVerifier({
      chainId,
      verifySignature: verifyNative,
      checkEvidence: () => Promise.resolve(ok(undefined)),
      maxRemembered: 4096,
    });
    const ledger = await RaftLedger.open({
      store,
      genesis,
      validators,
      validatorKey: null,
      decodeEvent: verifier.decode,
      outlets: {
        committed: (blocks) => submissions.committed(blocks),
        replacing: () => Promise.resolve(),
        replaced: () => Promise.resolve(),
      },
    });
    const submissions: LedgerSubmissions = new LedgerSubmissions({
      ledger,
      propose: (data, settle) => server.proposeWith(data, settle),
      verifier,
      policy: { kind: 'open' },
      maxWaiting: 4096,
      maxWaitMs: 10_000,
      nowMs: () => Date.now(),
    });
    const snapshots = await SnapshotFiles.open({
      folder: join(directory, 'snapshots'),
      maxBytes: 1 << 30,
      reserveBytes: 0,
    });
    const server: RaftServer<LedgerOutcome> = await startRaftServer<LedgerOutcome>({
      self: { id, address: id },
      protocolVersion: 3,
      timings: TIMINGS,
      limits: this.#limits,
      shellLimits: DEFAULT_SHELL_LIMITS,
      snapshotPolicy: DEFAULT_SNAPSHOT_POLICY,
      seed: id.charCodeAt(0),
      codec: configurationCodec,
      pinnedHistory: null,
      store,
      snapshots,
      machine: ledger,
      openLinks: this.network.linksOf(id),
      nowMs: () => performance.now(),
      outlets: {
        leaderChanged: (leader, _term, isSelf) => submissions.leaderChanged(leader, isSelf),
        configurationChanged: () => undefined,
        refused: () => undefined,
        snapshotFailed: (error) => void fatal.push(error),
        fatal: (error) => void fatal.push(error),
      },
    });
    const stop = async () => {
      this.members.delete(id);
      submissions.submissions.close();
      await server.stop();
      await store.close();
    };
    const member = { id, server, ledger, submissions, verifier, fatal, stop };
    this.members.set(id, member);
    return member;
  }

  /** Three voters, one of which leads, behind BASE. */
  async startThree(): Promise<LedgerMember> {
    const ids = ['a', 'b', 'c'];
    for (const id of ids) await this.start(id, ids);
    const leader = await this.leader();
    await this.writeBase(leader);
    return leader;
  }

  async writeBase({ server }: LedgerMember): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      server.proposeWith(
        this.baseData(),
        (outcome) => (outcome.ok ? resolve() : reject(new Error(outcome.refusal.code))),
        ENTRY_TYPES.noop,
      );
    });
  }

  async leader(): Promise<LedgerMember> {
    return eventually('a leader that has committed', () => {
      for (const one of this.members.values()) {
        const { commitIndex, role, term } = one.server.status();
        if (role === 'leader' && commitIndex > 0 && one.server.entry(commitIndex)?.term === term) return one;
      }
      return undefined;
    });
  }

  /** Once all have applied what the leader has. */
  async settled(): Promise<readonly LedgerMember[]> {
    const all = [...this.members.values()];
    await eventually('the same index on all members', () => {
      const indexes = all.map(({ server }) => server.status().machineIndex);
      const last = Math.max(...all.map(({ server }) => server.status().lastIndex));
      return indexes.every((index) => index === last);
    });
    return all;
  }

  async stop(): Promise<void> {
    for (const member of [...this.members.values()]) await member.stop();
    await rm(this.#root, { recursive: true });
  }
}

/** A node with a key, which signs what it says of itself. */
export class Author {
  readonly key: IdentityKey = generateIdentityKey('ed25519');
  readonly #cluster: LedgerCluster;
  #seq = 0;

  constructor(cluster: LedgerCluster) {
    this.#cluster = cluster;
  }

  get peerId(): string {
    return this.key.peerId;
  }

  joins(more: Readonly<Record<string, unknown>> = {}): SignedEvent {
    return this.#sign({
      type: 'joined',
      multiaddrs: ['/ip4/203.0.113.20/udp/4001/quic-v1'],
      version: 'v0.8.4',
      isTwitterScraper: false,
      isDiscordScraper: false,
      isTelegramScraper: false,
      isWebScraper: true,
      ...more,
    });
  }

  leaves(): SignedEvent {
    return this.#sign({ type: 'left' });
  }

  #sign(body: Readonly<Record<string, unknown>>): SignedEvent {
    const { chainId } = this.#cluster;
    const event = { ...body, peerId: this.peerId, seq: ++this.#seq, time: Math.floor(Date.now() / 1000) };
    return unwrap(signedEventFromJson(chainId, signEvent(this.key, chainId, event as never).submission));
  }
}
