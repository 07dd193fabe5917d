/** Composition of a member of a Raft cluster: what exists, in which order it starts, and in which order it stops. */
import { mkdir } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import { assert } from '../../base/assert.ts';
import { CodedError, unwrap } from '../../base/result.ts';
import type { CommittedBlock } from '../../consensus/engine.ts';
import { chainIdOf, type Genesis } from '../../ledger/genesis.ts';
import { trustGenesis } from '../../ledger/trusted-chain.ts';
import { createHost, type Host } from '../../net/host.ts';
import type { Logger } from '../../observability/log.ts';
import { CATALOG } from '../../projections/catalog.ts';
import { loadDefaultScheme } from '../../qc/default-scheme.ts';
import { AddressBook, writeAddressFile } from '../address-book.ts';
import { noticeOf } from '../commit-notice.ts';
import type { NodeConfig } from '../config.ts';
import { EventVerifier } from '../event-verifier.ts';
import { readGenesisFile } from '../genesis-file.ts';
import { LedgerViews, type LedgerAccess } from '../ledger-views.ts';
import { loadIdentityKey, type IdentityKey } from '../keys.ts';
import { LedgerReads, type ReadableLedger } from '../projections/ledger-reads.ts';
import { PastThread } from '../projections/past-thread.ts';
import { rebuildInThread } from '../projections/rebuild-thread.ts';
import { SignatureThread } from '../signature-thread.ts';
import { schemaReport, SchemaWatch } from '../schema-report.ts';
import type { CommitNotice, NodeStatus, ReadOptions, RunningNode } from '../status.ts';
import { startSubmissionServer } from '../submission-service.ts';
import type { SubmissionPolicy } from '../submissions.ts';
import { noVotesToJudge } from './evidence.ts';
import { beginLedger } from './ledger-begin.ts';
import type { ChainLedger, LedgerOutlets } from './ledger-machine.ts';
import type { LedgerOutcome } from './ledger-outcome.ts';
import { LedgerProjections } from './ledger-projections.ts';
import { LedgerSubmissions } from './ledger-submissions.ts';
import { MemberReads } from './member-reads.ts';
import { memberStatus } from './member-status.ts';
import { NamedServers } from './named-servers.ts';
import { openMember, selfOf, type OpenMember } from './open-member.ts';
import { beginOnce } from './begin-once.ts';
import { ServerOperations, type RaftOperations } from './operations.ts';
import type { RaftConfig } from './raft-config.ts';
import { startRaftServer, type RaftServer } from './raft-server.ts';
import type { RaftServerOutlets } from './server-options.ts';
import { memberServerOptions } from './member-server.ts';
import { raftDirectory } from './snapshot-files.ts';

const SUBMISSION_WAIT_MS = 10_000;
/** Events whose signatures were checked. */
const MAX_REMEMBERED_EVENTS = 32_768;
const DIAL_INTERVAL_MS = 5_000;
const DIAL_DEADLINE_MS = 5_000;

type RaftNodeConfig = NodeConfig & { readonly raft: RaftConfig };

/** @throws CodedError of the configuration, the keys, the genesis, the data directory, the host and the Raft server */
export async function startRaftNode(config: RaftNodeConfig, log: Logger): Promise<RunningNode> {
  await mkdir(config.dataDirectory, { recursive: true, mode: 0o700 });
  const genesis = await readGenesisFile(config.genesis);
  const identity = await loadIdentityKey(config);
  const node = new RaftNode(config, genesis, identity, log);
  try {
    await node.start();
    return node;
  } catch (error) {
    await node.stop();
    throw error;
  }
}

/** What the server tells of while it starts. */
interface Services {
  readonly member: OpenMember;
  readonly submissions: LedgerSubmissions;
  readonly reads: MemberReads;
}

interface Parts extends Services {
  readonly host: Host;
  readonly server: RaftServer<LedgerOutcome>;
  readonly operations: RaftOperations;
  readonly views: LedgerViews;
}

class RaftNode implements RunningNode {
  readonly failed: Promise<never>;
  readonly ledger: LedgerReads;
  readonly #config: RaftNodeConfig;
  readonly #genesis: Genesis;
  readonly #identity: IdentityKey;
  readonly #log: Logger;
  readonly #fail: (error: unknown) => void;
  readonly #schema: SchemaWatch;
  readonly #signatures = new SignatureThread();
  readonly #events: EventVerifier;
  readonly #addresses: AddressBook;
  readonly #projections: LedgerProjections;
  readonly #past: PastThread;
  readonly #listeners = new Set<(notice: CommitNotice) => void>();
  readonly snapshots = null;
  readonly #startedAtMs = Date.now();
  /** In the order in which they were opened. */
  readonly #closers: (() => Promise<void>)[] = [];
  #services: Services | null = null;
  #parts: Parts | null = null;
  #stopping: Promise<void> | null = null;
  #commits = 0;
  #eventsCommitted = 0;

  constructor(config: RaftNodeConfig, genesis: Genesis, identity: IdentityKey, log: Logger) {
    this.#config = config;
    this.#genesis = genesis;
    this.#identity = identity;
    this.#log = log;
    this.#schema = new SchemaWatch(log);
    const { promise, reject } = Promise.withResolvers<never>();
    this.failed = promise;
    this.#fail = reject;
    // Whoever runs the node awaits it; until then a failure must not count as unhandled.
    promise.catch(() => undefined);
    this.#events = new EventVerifier({
      chainId: chainIdOf(genesis),
      verifySignature: this.#signatures.verify,
      checkEvidence: noVotesToJudge,
      maxRemembered: MAX_REMEMBERED_EVENTS,
    });
    const known = new Map(genesis.validators.map(({ multiaddrs, peerId }) => [peerId, multiaddrs]));
    this.#addresses = new AddressBook(known, config.bootstrap, config.addressFiles);
    const task = {
      dataDirectory: config.dataDirectory,
      genesisFile: config.genesis,
      identity: { chainId: chainIdOf(genesis), validatorKey: null },
    };
    this.#projections = new LedgerProjections({
      projections: CATALOG,
      logger: log,
      startRebuildOf: ({ store }) => rebuildInThread(store, task),
      onFailed: this.#fatal,
    });
    this.#past = new PastThread(task);
    this.ledger = new LedgerReads({
      ledger: () => this.#readable(),
      projections: () => this.#projections.current,
      past: this.#past,
      nowMs: () => Date.now(),
    });
  }

  get listenAddrs(): readonly string[] {
    return this.#running().host.addresses();
  }

  get raft(): RaftOperations {
    return this.#running().operations;
  }

  get views(): LedgerAccess {
    return this.#running().views;
  }

  async start(): Promise<void> {
    const { addressFile, raft } = this.#config;
    this.#closers.push(() => this.#signatures.close());
    const member = await openMember(this.#config, this.#genesis, {
      create: true,
      decodeEvent: this.#events.decode,
      outlets: this.#ledgerOutlets(),
    });
    this.#closers.push(() => member.store.close());
    const views = new LedgerViews(member.store);
    this.#closers.push(() => views.closeAll());
    const host = await this.#openHost(member.ledger.chainId);
    await writeAddressFile(addressFile, { peerId: host.peerId, pid: process.pid, addresses: [...host.addresses()] });
    const { cluster } = raft;
    // Who does not begin the cluster of its configuration is taken in by those who did.
    const known = (await beginOnce(member.store, this.#config, this.#log)) ? cluster : [...cluster, ...raft.bootstrap];
    const named = await NamedServers.open(raftDirectory(this.#config.dataDirectory), { ...raft, cluster: known });
    const reads = await this.#openReads(host, member);
    const submissions = this.#openSubmissions(member);
    this.#services = { member, reads, submissions };
    reads.ledger(member.ledger.ledger);
    await this.#projections.begin(member.ledger.ledger);
    this.#closers.push(() => this.#past.close());
    this.#closers.push(() => this.#projections.end());
    const server = await startRaftServer<LedgerOutcome>(
      memberServerOptions({
        raft,
        peerId: this.#identity.peerId,
        member,
        named,
        host,
        addresses: this.#addresses,
        outlets: this.#serverOutlets(),
      }),
    );
    this.#closers.push(() => server.stop());
    const operations = new ServerOperations({
      server,
      address: selfOf(raft, this.#identity.peerId).address,
      named,
      begin: () => beginLedger(server, member.ledger, () => Date.now()),
      nowMs: () => performance.now(),
    });
    this.#parts = { host, member, submissions, reads, server, operations, views };
    this.#closers.push(await reads.start());
    const parts = { config: this.#config, host, log: this.#log, context: { chainId: member.ledger.chainId } };
    this.#closers.push(await startSubmissionServer(parts, submissions.submissions));
    this.#keepConnected(host);
    this.#beginWhenLeading();
  }

  status(): NodeStatus {
    const { host, member, server } = this.#running();
    return memberStatus({
      chainId: member.ledger.chainId,
      genesisSchema: this.#genesis.parameters.eventSchema,
      peerId: this.#identity.peerId,
      validators: member.validators,
      host,
      ledger: member.ledger,
      raft: server.status(),
      startedAtMs: this.#startedAtMs,
      nowMs: Date.now(),
      commits: this.#commits,
      eventsCommitted: this.#eventsCommitted,
      projections: this.#projections.status(),
    });
  }

  read(peerId: string, options: ReadOptions): ReturnType<RunningNode['read']> {
    return this.#running().reads.read(peerId, options);
  }

  onCommit(listener: (notice: CommitNotice) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  /** From the outside in. What was opened first is closed last, whatever goes wrong before. */
  async #stop(): Promise<void> {
    this.#services?.submissions.submissions.close();
    await setImmediate(); // the answers that this made leave before their streams end
    const failures: unknown[] = [];
    for (const close of this.#closers.reverse()) await close().catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw failures[0];
  }

  #readable(): ReadableLedger | null {
    const { ledger, store } = this.#services?.member ?? {};
    const chain = ledger?.ledger ?? null;
    return chain === null || store === undefined ? null : { store, log: chain.log, machine: chain.machine };
  }

  #running(): Parts {
    assert(this.#parts !== null, 'the node is started');
    return this.#parts;
  }

  async #openHost(chainId: string): Promise<Host> {
    const { announce, limits, listen } = this.#config;
    const host = await createHost({
      identity: this.#identity.protobuf,
      listen,
      announce,
      chainId,
      limits: { maxConnections: limits.connections, inboundPerSecondPerAddress: limits.inboundConnectionsPerSecond },
    });
    this.#closers.push(() => host.stop());
    return host;
  }

  async #openReads(host: Host, { validators }: OpenMember): Promise<MemberReads> {
    const { scheme } = await loadDefaultScheme();
    return new MemberReads({
      host,
      addresses: this.#addresses,
      members: validators.members.map(({ peerId }) => peerId),
      perPeerPerSecond: this.#config.limits.readsPerSecondPerPeer,
      trusted: unwrap(trustGenesis(this.#genesis, scheme)),
      parameters: this.#genesis.parameters,
      scheme,
      nowMs: () => Date.now(),
      server: () => this.#running().server,
    });
  }

  #openSubmissions({ ledger }: OpenMember): LedgerSubmissions {
    const { submission } = this.#config;
    const policy: SubmissionPolicy =
      submission.policy === 'allow-list'
        ? { kind: submission.policy, peerIds: new Set(submission.allow) }
        : { kind: submission.policy };
    return new LedgerSubmissions({
      ledger,
      verifier: this.#events,
      policy,
      maxWaiting: submission.waitingEvents,
      maxWaitMs: SUBMISSION_WAIT_MS,
      nowMs: () => Date.now(),
      propose: (data, settle) => this.#running().server.proposeWith(data, settle),
    });
  }

  #ledgerOutlets(): LedgerOutlets {
    return {
      committed: (blocks) => this.#committed(blocks),
      replacing: async () => {
        this.#services?.reads.ledger(null);
        await this.#projections.end();
        await this.#past.reset();
      },
      replaced: async (ledger: ChainLedger | null) => {
        this.#services?.reads.ledger(ledger);
        // Whoever asked meanwhile had answers from the log that is gone.
        await this.#past.reset();
        await this.#projections.begin(ledger);
      },
    };
  }

  #serverOutlets(): RaftServerOutlets {
    const log = this.#log;
    return {
      leaderChanged: (leader, term, isSelf) => {
        log.info({ leader: leader?.id ?? null, term }, isSelf ? 'leads' : 'follows');
        this.#services?.submissions.leaderChanged(leader, isSelf);
        if (isSelf) this.#beginWhenLeading();
      },
      configurationChanged: ({ configuration, index }, isCommitted) =>
        log.info({ index, isCommitted, servers: configuration.servers }, 'configuration'),
      refused: (from, refusal) => {
        if (refusal.code === 'raft-foreign-history') log.error({ from, refusal }, 'another history');
        else log.debug({ from, refusal }, 'refused');
      },
      snapshotFailed: (error) => log.error({ err: error }, 'no snapshot could be taken'),
      fatal: this.#fatal,
    };
  }

  /** In a cluster without servers of the older system the ledger begins as soon as somebody leads. */
  #beginWhenLeading(): void {
    const parts = this.#parts;
    if (parts === null || this.#config.raft.base !== 'at-once') return;
    const { member, server } = parts;
    if (member.ledger.base !== null || server.status().role !== 'leader') return;
    void beginLedger(server, member.ledger, () => Date.now()).then((begun) => {
      if (begun.ok) this.#log.info({ index: begun.value }, 'the ledger begins');
      else this.#log.info({ refusal: begun.refusal }, 'the ledger has not begun');
    });
  }

  #committed(blocks: readonly CommittedBlock[]): void {
    const ledger = this.#services?.member.ledger.ledger ?? null;
    this.#commits += blocks.length;
    if (ledger !== null) this.#observeSchema(ledger);
    this.#services?.submissions.committed(blocks);
    this.#services?.reads.committed(ledger, blocks);
    this.#projections.committed(ledger, blocks);
    for (const committed of blocks) {
      this.#events.forget(committed.block.events);
      this.#eventsCommitted += committed.block.events.length;
      for (const listener of this.#listeners) listener(noticeOf(committed));
    }
  }

  #observeSchema({ machine }: ChainLedger): void {
    this.#schema.observe(schemaReport(machine.head, machine.head.height), machine.head.height);
  }

  readonly #fatal = (error: unknown): void => {
    const code = error instanceof CodedError ? error.code : undefined;
    this.#log.fatal({ err: error, code }, 'the node stops rather than guess');
    this.#fail(error);
  };

  #keepConnected(host: Host): void {
    const connect = (): void => {
      for (const peerId of this.#addresses.peers()) {
        if (peerId === host.peerId || host.isConnected(peerId)) continue;
        const target = { peerId, multiaddrs: this.#addresses.of(peerId) };
        host.connect(target, { deadlineMs: DIAL_DEADLINE_MS }).catch((error: unknown) => {
          this.#log.debug({ peerId, err: error }, 'not connected');
        });
      }
    };
    connect();
    const timer = setInterval(connect, DIAL_INTERVAL_MS);
    this.#closers.push(async () => clearInterval(timer));
  }
}
