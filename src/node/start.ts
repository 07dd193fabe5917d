/** Composition of a running node: what exists, in which order it starts, and in which order it stops. */
import { mkdir } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import type { CommittedBlock } from '../consensus/engine.ts';
import { blockSyncServer } from '../net/block-sync.ts';
import { createHost, type Host, type PeerTarget } from '../net/host.ts';
import { SnapshotClient, snapshotServer } from '../net/snapshot-sync.ts';
import type { Logger } from '../observability/log.ts';
import { CATALOG } from '../projections/catalog.ts';
import { writeAddressFile } from './address-book.ts';
import { blockSource } from './block-source.ts';
import { noticeOf } from './commit-notice.ts';
import type { NodeConfig } from './config.ts';
import type { Consensus } from './consensus.ts';
import { openCore, withNetwork, type NetworkedCore, type NodeCore } from './core.ts';
import { DhtService, dhtRules } from './dht-service.ts';
import { readGenesisFile } from './genesis-file.ts';
import { GossipService, gossipRules } from './gossip-service.ts';
import { CatchingUp } from './joining/catching-up.ts';
import { joinFirst, type Joined, type JoinFirstOptions } from './joining/join-first.ts';
import { Turning } from './joining/turning.ts';
import type { LedgerAccess } from './ledger-views.ts';
import { nodeStatus } from './node-status.ts';
import { startObserver, type ObserverOutlets } from './observer.ts';
import { OwnReads } from './own-reads.ts';
import { LedgerReads } from './projections/ledger-reads.ts';
import { NodeProjections } from './projections/node-projections.ts';
import { PastThread, type PastTask } from './projections/past-thread.ts';
import { rebuildInThread } from './projections/rebuild-thread.ts';
import { readServiceOf, startReadServer } from './read-server.ts';
import type { ReadService } from './read-service.ts';
import { schemaReport, SchemaWatch } from './schema-report.ts';
import { ServedSnapshots } from './served-snapshots.ts';
import { SnapshotFolder } from './snapshot/snapshot-folder.ts';
import { SnapshotService } from './snapshot/snapshot-service.ts';
import type { CommitNotice, ReadOptions, RunningNode } from './status.ts';
import { startSubmissionServer } from './submission-service.ts';
import { streamLinks } from './validator-links.ts';
import { startValidator } from './validator.ts';

const DIAL_INTERVAL_MS = 5_000;
const DIAL_DEADLINE_MS = 5_000;

export interface StartOptions extends JoinFirstOptions {
  /** A snapshot is to take the place of the node's ledger: whoever runs it stops it, and starts it with `isBehind`. */
  readonly onBehind?: (() => void) | undefined;
}

/**
 * A node whose data directory is empty joins before.
 *
 * @throws CodedError of the configuration, the keys, the genesis, the data directory and the host, and of `joinFirst`
 */
export async function startNode(config: NodeConfig, log: Logger, options: StartOptions = {}): Promise<RunningNode> {
  await mkdir(config.dataDirectory, { recursive: true, mode: 0o700 });
  const genesis = await readGenesisFile(config.genesis);
  const joined = await joinFirst(config, genesis, log, options);
  const core = await openCore(config, genesis, log);
  let host: Host | undefined;
  let node: Node | undefined;
  try {
    host = await hostOf(core);
    await writeAddressFile(config.addressFile, {
      peerId: host.peerId,
      pid: process.pid,
      addresses: [...host.addresses()],
    });
    node = new Node(withNetwork(core, host), await projectionsOf(core), joined, options.onBehind);
    await node.start();
    return node;
  } catch (error) {
    if (node !== undefined) await node.stop();
    else await closeCore(core, host);
    throw error;
  }
}

function hostOf(core: NodeCore): Promise<Host> {
  const { config, context, identity } = core;
  return createHost({
    identity: identity.protobuf,
    listen: config.listen,
    announce: config.announce,
    chainId: context.chainId,
    dht: { mode: 'server', records: dhtRules(core) },
    gossip: gossipRules(),
    limits: {
      maxConnections: config.limits.connections,
      inboundPerSecondPerAddress: config.limits.inboundConnectionsPerSecond,
    },
  });
}

function projectionsOf(core: NodeCore): Promise<NodeProjections> {
  const { log, store } = core.ledger;
  const startRebuild = rebuildInThread(store, taskOf(core));
  return NodeProjections.open({ store, log, projections: CATALOG, startRebuild, logger: core.log });
}

/** What a thread needs to read the ledger beside the node. */
function taskOf({ config, ledger }: NodeCore): PastTask {
  const { identity } = ledger.log;
  return { dataDirectory: config.dataDirectory, genesisFile: config.genesis, identity };
}

/** What everything else stands on, so it goes last. */
async function closeCore(core: NodeCore, host: Host | undefined): Promise<void> {
  await host?.stop();
  await core.signatures?.close();
  await core.pool.close();
  await core.ledger.store.close();
}

class Node implements RunningNode {
  readonly failed: Promise<never>;
  readonly raft = null;
  readonly views: LedgerAccess;
  readonly #core: NetworkedCore;
  readonly #reads: ReadService;
  readonly #ownReads: OwnReads;
  readonly #gossip: GossipService;
  readonly #dht: DhtService;
  readonly ledger: LedgerReads;
  readonly #projections: NodeProjections;
  readonly #catchingUp: CatchingUp;
  readonly #turning: Turning;
  readonly #past: PastThread;
  readonly snapshots: SnapshotService;
  readonly #served: ServedSnapshots;
  readonly #listeners = new Set<(notice: CommitNotice) => void>();
  readonly #startedAtMs: number;
  readonly #schema: SchemaWatch;
  readonly #fail: (error: unknown) => void;
  /** Of the servers, in the order in which they started. */
  readonly #closers: (() => Promise<void>)[] = [];
  #consensus: Consensus | null = null;
  #dialTimer: NodeJS.Timeout | null = null;
  #stopping: Promise<void> | null = null;
  #commits = 0;
  #eventsCommitted = 0;

  /** @param joined null of a node that had a ledger, or begins the network */
  constructor(
    core: NetworkedCore,
    projections: NodeProjections,
    joined: Joined | null,
    onBehind: StartOptions['onBehind'],
  ) {
    this.#core = core;
    this.#startedAtMs = core.nowMs();
    this.#schema = new SchemaWatch(core.log);
    const { promise, reject } = Promise.withResolvers<never>();
    this.failed = promise;
    this.#fail = reject;
    // Whoever runs the node awaits it; until then a failure must not count as unhandled.
    promise.catch(() => undefined);
    this.views = core.views;
    this.#reads = readServiceOf(core);
    this.#gossip = new GossipService({
      core,
      host: core.host,
      onBlock: (block) => this.#consensus?.offerSealed([block]),
      onFalse: () => this.#consensus?.announced(),
    });
    this.#dht = new DhtService(core, core.host, this.#reads, core.seat !== null);
    this.#ownReads = new OwnReads(core, this.#dht);
    this.#projections = projections;
    const { height } = core.ledger.log.head();
    this.#catchingUp = new CatchingUp(joined?.status.headHeight ?? 0, height, () => projections.begin());
    this.#turning = this.#turningOf(joined, onBehind);
    this.snapshots = new SnapshotService({ ...core, projected: () => projections.held() });
    this.#past = new PastThread(taskOf(core));
    this.ledger = new LedgerReads({
      ledger: () => core.ledger,
      projections: () => projections,
      past: this.#past,
      nowMs: core.nowMs,
    });
    this.#served = new ServedSnapshots({
      chainId: core.context.chainId,
      folder: SnapshotFolder.of(core.config.dataDirectory),
      headHeight: () => core.ledger.log.head().height,
      oldestBlock: () => core.ledger.log.floor(),
    });
  }

  #turningOf(joined: Joined | null, onBehind: StartOptions['onBehind']): Turning {
    const { config, host, log } = this.#core;
    const { outcome, stays } = joined ?? {};
    return new Turning({
      config,
      client: SnapshotClient.over(host),
      servers: () => this.#others(),
      isPrunedAway: () => this.#running().isPrunedAway(),
      beganAlone: outcome?.kind === 'genesis' && outcome.because === 'nobody-answers',
      wasServed: outcome?.kind === 'own-ledger',
      stays: stays ?? null,
      onBehind,
      log,
    });
  }

  get listenAddrs(): readonly string[] {
    return this.#core.host.addresses();
  }

  async start(): Promise<void> {
    const core = this.#core;
    const { context, host, ledger, seat } = core;
    const outlets: ObserverOutlets = {
      committed: this.#committed,
      fatal: this.#fatal,
      prunedAway: () => this.#turning.prunedAway(),
      mayFetch: (fromHeight) => this.#turning.mayFetch(fromHeight),
    };
    await this.snapshots.start();
    if (!this.#catchingUp.isUnderWay) this.#projections.begin();
    this.#observeSchema();
    const blocks = blockSyncServer({ host, source: blockSource(ledger.log, context.validators.epoch) });
    await blocks.start();
    this.#closers.push(() => blocks.stop());
    const snapshots = snapshotServer({ host, source: this.#served });
    await snapshots.start();
    this.#closers.push(() => snapshots.stop());
    this.#closers.push(await startReadServer(core, this.#reads));
    this.#consensus =
      seat === null ? startObserver(core, outlets) : await startValidator(core, seat, streamLinks(core), outlets);
    const { submissions } = this.#consensus;
    if (submissions !== null) this.#closers.push(await startSubmissionServer(core, submissions));
    this.#gossip.start();
    this.#dht.start();
    this.#keepConnected();
  }

  status() {
    return nodeStatus(this.#core, this.#running(), {
      startedAtMs: this.#startedAtMs,
      commits: this.#commits,
      eventsCommitted: this.#eventsCommitted,
      projections: this.#projections.status(),
      isCatchingUp: this.#catchingUp.isUnderWay,
      gossipSubscribers: this.#gossip.subscribers(),
      pruningWaitsFor: this.snapshots.pruningWaitsFor(),
      staysBecause: this.#turning.refusal,
    });
  }

  read(peerId: string, options: ReadOptions): ReturnType<RunningNode['read']> {
    return this.#ownReads.read(peerId, options);
  }

  onCommit(listener: (notice: CommitNotice) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  /** From the outside in. The store is closed whatever goes wrong before. */
  async #stop(): Promise<void> {
    try {
      if (this.#dialTimer !== null) clearInterval(this.#dialTimer);
      this.#dht.stop();
      this.#gossip.stop();
      this.#consensus?.submissions?.close();
      await setImmediate(); // the answers that this made leave before their streams end
      for (const close of this.#closers.reverse()) await close();
      await this.#consensus?.stop();
      await this.snapshots.close();
      this.#catchingUp.stop();
      this.#turning.stop();
      await this.#projections.close();
      await this.#core.views.closeAll();
      await this.#past.close();
    } finally {
      await closeCore(this.#core, this.#core.host);
    }
  }

  #running(): Consensus {
    if (this.#consensus === null) throw new Error('the node is not started');
    return this.#consensus;
  }

  readonly #committed = (blocks: readonly CommittedBlock[]): void => {
    this.#commits += blocks.length;
    this.#observeSchema();
    this.#reads.committed(blocks);
    this.#catchingUp.reached(blocks.at(-1)?.block.header.height ?? 0);
    if (!this.#catchingUp.isUnderWay) {
      this.#projections.offer(
        blocks.map(({ block, changes }) => ({ header: block.header, events: block.events, changes })),
      );
    }
    this.#gossip.committed(blocks);
    this.#dht.committed(blocks);
    this.snapshots.committed(blocks[0]?.block.header.height ?? 0, blocks.at(-1)?.block.header.height ?? 0);
    for (const committed of blocks) {
      this.#eventsCommitted += committed.block.events.length;
      if (this.#listeners.size > 0) this.#notify(noticeOf(committed));
    }
  };

  #observeSchema(): void {
    const { head } = this.#core.ledger.machine;
    this.#schema.observe(schemaReport(head, head.height), head.height);
  }

  readonly #fatal = (error: unknown): void => {
    this.#core.log.fatal({ err: error }, 'the node stops rather than guess');
    this.#fail(error);
  };

  #notify(notice: CommitNotice): void {
    for (const listener of this.#listeners) listener(notice);
  }

  /** Validators keep streams among themselves; an observer needs connections to hear gossip and to ask. */
  #keepConnected(): void {
    const { host, log } = this.#core;
    const connect = (): void => {
      for (const target of this.#others()) {
        const { peerId } = target;
        if (host.isConnected(peerId)) continue;
        host.connect(target, { deadlineMs: DIAL_DEADLINE_MS }).catch((error: unknown) => {
          log.debug({ peerId, err: error }, 'not connected');
        });
      }
    };
    connect();
    this.#dialTimer = setInterval(connect, DIAL_INTERVAL_MS);
  }

  /** Everybody that is known now. */
  #others(): readonly PeerTarget[] {
    const { addresses, identity } = this.#core;
    return addresses
      .peers()
      .filter((peerId) => peerId !== identity.peerId)
      .map((peerId) => ({ peerId, multiaddrs: addresses.of(peerId) }));
  }
}
