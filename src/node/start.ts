/** Composition of a running node: what exists, in which order it starts, and in which order it stops. */
import { mkdir } from 'node:fs/promises';
import { CodedError, unwrap, type Result } from '../base/result.ts';
import type { CommittedBlock } from '../consensus/engine.ts';
import { trustGenesis } from '../ledger/trusted-chain.ts';
import { blockSyncServer } from '../net/block-sync.ts';
import { createHost, type Host } from '../net/host.ts';
import { read, readServer } from '../net/read.ts';
import { CATALOG } from '../projections/catalog.ts';
import { Projector } from '../projections/projector.ts';
import type { Logger } from '../observability/log.ts';
import { writeAddressFile } from './address-book.ts';
import type { NodeConfig } from './config.ts';
import { openCore, validatorTarget, withNetwork, type NetworkedCore, type NodeCore } from './core.ts';
import { DhtService, dhtRules } from './dht-service.ts';
import { readGenesisFile } from './genesis-file.ts';
import { GossipService, gossipRules } from './gossip-service.ts';
import { HeadStatements } from './head-statements.ts';
import { asked } from './fetching.ts';
import { startObserver } from './observer.ts';
import { ReadService } from './read-service.ts';
import { nodeStatus } from './node-status.ts';
import type { CommitNotice, ReadOptions, RunningNode } from './status.ts';
import { startSubmissionServer } from './submission-service.ts';
import { startValidator, type Consensus } from './validator.ts';
import { peerSource, VerifiedReader, type ReadSource } from './verified-reader.ts';

const READ_TIMEOUT_MS = 10_000;
const ASK_STATEMENT_DEADLINE_MS = 2_000;

/** @throws CodedError of the configuration, the keys, the genesis and the data directory */
export async function startNode(config: NodeConfig, log: Logger): Promise<RunningNode> {
  await mkdir(config.dataDirectory, { recursive: true, mode: 0o700 });
  const genesis = await readGenesisFile(config.genesis);
  const core = await openCore(config, genesis, log);
  let host: Host | undefined;
  try {
    host = await hostOf(core);
    const node = new Node(withNetwork(core, host), await projectorOf(core));
    await node.start();
    return node;
  } catch (error) {
    await host?.stop();
    await core.pool.close();
    await core.ledger.store.close();
    throw error;
  }
}

async function hostOf(core: NodeCore): Promise<Host> {
  const { config, context, identity } = core;
  const host = await createHost({
    identity: { kind: 'protobuf', bytes: identity.protobuf },
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
  await writeAddressFile(config.addressFile, {
    peerId: identity.peerId,
    pid: process.pid,
    addresses: [...host.addresses()],
  });
  return host;
}

function projectorOf({ ledger, log }: NodeCore): Promise<Projector> {
  return Projector.open({
    store: ledger.store,
    log: ledger.log,
    projections: CATALOG,
    onStopped: (projection, error) => {
      log.error({ projection, err: error }, 'a projection stopped; "hotledger replay" rebuilds it');
    },
  });
}

class Node implements RunningNode {
  readonly failed: Promise<never>;
  readonly #core: NetworkedCore;
  readonly #reads: ReadService;
  readonly #reader: VerifiedReader;
  readonly #gossip: GossipService;
  readonly #dht: DhtService;
  readonly #projections: Projector;
  readonly #listeners = new Set<(notice: CommitNotice) => void>();
  readonly #startedAtMs: number;
  readonly #fail: (error: unknown) => void;
  readonly #closers: (() => Promise<void> | void)[] = [];
  #consensus: Consensus | null = null;
  #dialTimer: NodeJS.Timeout | null = null;
  #commits = 0;
  #eventsCommitted = 0;

  constructor(core: NetworkedCore, projections: Projector) {
    this.#core = core;
    this.#startedAtMs = core.nowMs();
    const { promise, reject } = Promise.withResolvers<never>();
    this.failed = promise;
    this.#fail = reject;
    // Whoever runs the node awaits it; until then a failure must not count as unhandled.
    promise.catch(() => undefined);
    this.#reads = new ReadService(core.ledger, headStatements(core));
    this.#reader = new VerifiedReader({
      trusted: unwrap(trustGenesis(core.genesis, core.scheme)),
      parameters: core.genesis.parameters,
      scheme: core.scheme,
      nowMs: core.nowMs,
    });
    this.#gossip = new GossipService({
      core,
      host: core.host,
      onBlock: (block) => this.#consensus?.offerSealed([block]),
    });
    this.#dht = new DhtService(core, core.host, this.#reads, core.seat !== null);
    this.#projections = projections;
  }

  get listenAddrs(): readonly string[] {
    return this.#core.host.addresses();
  }

  async start(): Promise<void> {
    const core = this.#core;
    const outlets = { committed: this.#committed, fatal: this.#fatal };
    this.#projections.offer([]);
    const blocks = blockSyncServer({ host: core.host, source: blockSource(core) });
    const reads = readServer({ host: core.host, handler: this.#reads.handle });
    await Promise.all([blocks.start(), reads.start()]);
    this.#closers.push(
      () => blocks.stop(),
      () => reads.stop(),
    );
    this.#consensus =
      core.seat === null ? startObserver(core, outlets) : await startValidator(core, core.seat, outlets);
    if (this.#consensus.submissions !== null) {
      this.#closers.push(await startSubmissionServer(core, this.#consensus.submissions));
    }
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
      gossipSubscribers: this.#gossip.subscribers(),
    });
  }

  read(peerId: string, { from, maxAgeMs }: ReadOptions): ReturnType<RunningNode['read']> {
    const sources = from === undefined ? this.#sources() : [this.#sourceAt(from)];
    return this.#reader.read(peerId, sources, { maxAgeMs, timeoutMs: READ_TIMEOUT_MS });
  }

  onCommit(listener: (notice: CommitNotice) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async stop(): Promise<void> {
    if (this.#dialTimer !== null) clearInterval(this.#dialTimer);
    this.#dht.stop();
    this.#gossip.stop();
    for (const close of this.#closers.reverse()) await close();
    await this.#consensus?.stop();
    await this.#projections.close();
    await this.#core.host.stop();
    await this.#core.pool.close();
    await this.#core.ledger.store.close();
  }

  #running(): Consensus {
    if (this.#consensus === null) throw new Error('the node is not started');
    return this.#consensus;
  }

  readonly #committed = (blocks: readonly CommittedBlock[]): void => {
    this.#commits += blocks.length;
    this.#reads.committed(blocks);
    this.#projections.offer(
      blocks.map(({ block, changes }) => ({ header: block.header, events: block.events, changes })),
    );
    this.#gossip.committed(blocks);
    this.#dht.committed(blocks);
    for (const committed of blocks) {
      this.#eventsCommitted += committed.block.events.length;
      if (this.#listeners.size > 0) this.#notify(noticeOf(committed));
    }
  };

  readonly #fatal = (error: unknown): void => {
    this.#core.log.fatal({ err: error }, 'the node stops rather than guess');
    this.#fail(error);
  };

  #notify(notice: CommitNotice): void {
    for (const listener of this.#listeners) listener(notice);
  }

  /** Validators keep streams among themselves; an observer needs connections to hear gossip and to ask. */
  #keepConnected(): void {
    const { addresses, host, identity } = this.#core;
    const connect = (): void => {
      for (const peerId of addresses.peers()) {
        if (peerId === identity.peerId || host.isConnected(peerId)) continue;
        host.connect({ peerId, multiaddrs: addresses.of(peerId) }, { deadlineMs: 5_000 }).catch((error: unknown) => {
          this.#core.log.debug({ peerId, err: error }, 'not connected');
        });
      }
    };
    connect();
    this.#dialTimer = setInterval(connect, DIAL_INTERVAL_MS);
  }

  #sources(): readonly ReadSource[] {
    const { context, identity } = this.#core;
    const validators = context.validators.members
      .map((_, index) => validatorTarget(this.#core, index))
      .filter(({ peerId }) => peerId !== identity.peerId);
    return [...validators.map((target) => this.#peerSource(target)), this.#dhtSource()];
  }

  #peerSource(target: { readonly peerId: string; readonly multiaddrs: readonly string[] }): ReadSource {
    return peerSource(target, (to, peerId, deadlineMs) =>
      read(this.#core.host, to, { kind: 'records', peerIds: [peerId], withAge: true }, { deadlineMs }),
    );
  }

  #sourceAt(address: string): ReadSource {
    const peerId = /\/p2p\/([^/]+)$/.exec(address)?.[1] ?? '';
    return this.#peerSource({ peerId, multiaddrs: [address] });
  }

  #dhtSource(): ReadSource {
    return {
      name: 'dht',
      ask: async (peerId, deadlineMs): Promise<Result<Uint8Array>> => {
        const found = await this.#dht.find(peerId, deadlineMs);
        if (found !== undefined) return { ok: true, value: found.value };
        throw new CodedError({ code: 'record-not-found', message: 'the DHT has no record', details: { peerId } });
      },
    };
  }
}

const DIAL_INTERVAL_MS = 5_000;

function headStatements(core: NetworkedCore): HeadStatements {
  const { context, host, ledger, nowMs, pool, scheme, seat } = core;
  return new HeadStatements({
    context,
    nowMs,
    verifier: pool,
    signer:
      seat === null
        ? null
        : { index: seat.index, sign: (preimage) => scheme.sign(seat.blsSecretKey, preimage) },
    head: () => ledger.log.head(),
    ask: async (index) => {
      const target = validatorTarget(core, index);
      const answer = await asked(read(host, target, { kind: 'headStatements' }, { deadlineMs: ASK_STATEMENT_DEADLINE_MS }));
      if (!answer.ok) return answer;
      const [statement] = answer.value;
      return statement === undefined
        ? { ok: false, refusal: { code: 'answer-invalid', message: 'the validator sent no statement', details: {} } }
        : { ok: true, value: statement };
    },
  });
}

function blockSource({ ledger, context }: NetworkedCore): Parameters<typeof blockSyncServer>[0]['source'] {
  return {
    head() {
      const { blockId, height } = ledger.log.head();
      return { epoch: context.validators.epoch, height, blockId };
    },
    // Genesis is not served: whoever asks has it, and its seal proves nothing.
    sealedAt: (height) => (height === 0 ? undefined : ledger.log.sealedBytesAt(height)),
    blockById: (id) => ledger.log.uncommittedBytes(id),
  };
}

function noticeOf({ block }: CommittedBlock): CommitNotice {
  const { height, stateRoot, timestamp } = block.header;
  return {
    height,
    blockId: block.id,
    stateRoot,
    timestamp,
    events: block.events.map(({ event, id }) => ({ id, type: event.type, peerId: event.peerId, seq: event.seq })),
  };
}
