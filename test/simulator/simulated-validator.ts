/**
 * One validator of a simulation: the production validator over a simulated disk, clock, key and network. What outlives
 * its process is here; what ends with it is a `Life`.
 */
import { sha256Hex } from '../../src/base/hash.ts';
import { CodedError, ok, type Result } from '../../src/base/result.ts';
import type { CommittedBlock } from '../../src/consensus/engine.ts';
import { Admission } from '../../src/node/admit.ts';
import { blockSource } from '../../src/node/block-source.ts';
import { parseConfig } from '../../src/node/config.ts';
import type { ValidatorCore } from '../../src/node/core.ts';
import { EventVerifier } from '../../src/node/event-verifier.ts';
import { checkEvidence } from '../../src/node/evidence-check.ts';
import { openLedgerOn, type OpenLedger } from '../../src/node/open-ledger.ts';
import { startValidator, type RunningValidator } from '../../src/node/validator.ts';
import type { LinkListener } from '../../src/node/validator-links.ts';
import { runVerificationJob } from '../../src/node/verification-jobs.ts';
import type { Verifier } from '../../src/node/verification-pool.ts';
import { answerSyncRequest, BlockSyncClient } from '../../src/net/block-sync.ts';
import { CATALOG } from '../../src/projections/catalog.ts';
import { Projector } from '../../src/projections/projector.ts';
import type { QueueLimits } from './cast.ts';
import { countingLog } from './counting-log.ts';
import { Machine, MachineProcess, type MachineSurroundings } from './machine.ts';
import { signAsPeer, verifyAsPeer, type SigningBook, type SimulatedChain } from './simulated-keys.ts';
import type { SimulatedNetwork } from './simulated-network.ts';
import type { Tally } from './tally.ts';

/** What a validator is surrounded by. */
export interface Surroundings extends MachineSurroundings<SimulatedValidator> {
  readonly chain: SimulatedChain;
  readonly network: SimulatedNetwork;
  readonly book: SigningBook;
  readonly tally: Tally;
  readonly limits: QueueLimits;
  /** How long a check on the verification pool takes, milliseconds. */
  readonly pairingMs: (node: SimulatedValidator) => number;
  readonly onStarted: (life: Life) => void;
  readonly onCommitted: (life: Life, blocks: readonly CommittedBlock[]) => void;
  /** The process gave up. */
  readonly onFatal: (life: Life, error: unknown) => void;
  /** The process is to be stopped at this effect. */
  readonly onDoomed: (life: Life) => void;
}

const MAX_REMEMBERED_EVENTS = 512;
const MAX_MESSAGES_UNDER_CHECK_PER_PEER = 64;

/** Of the machines of a simulation: twins share their index and differ in their id. */
export class SimulatedValidator extends Machine<Life> {
  readonly index: number;
  readonly peerId: string;
  readonly #surroundings: Surroundings;

  constructor(id: number, index: number, surroundings: Surroundings) {
    super(id, surroundings.scheduler);
    this.index = index;
    this.peerId = surroundings.chain.validators.member(index).peerId;
    this.#surroundings = surroundings;
  }

  start(): void {
    this.lives++;
    const life = new Life(this, this.#surroundings);
    this.life = life;
    this.#surroundings.scheduler.run(life, () => {
      life.begin().catch((error: unknown) => {
        if (!life.ended) this.#surroundings.onFatal(life, error);
      });
    });
  }

  protected stopped(life: Life): void {
    this.#surroundings.network.stopped(life);
  }
}

/** One process, from its start to its end. */
export class Life extends MachineProcess {
  readonly node: SimulatedValidator;
  /** Ids of the nodes to which its link is up. */
  readonly up = new Set<number>();
  listener: LinkListener | null = null;
  ledger: OpenLedger | null = null;
  consensus: RunningValidator | null = null;
  projector: Projector | null = null;
  /** Checks on the verification pool, and exchanges with other nodes, that are under way. */
  readonly underWay = { verificationJobs: 0, exchanges: 0 };
  readonly #surroundings: Surroundings;

  constructor(node: SimulatedValidator, surroundings: Surroundings) {
    super(node, surroundings.scheduler, (sync) => surroundings.writeMs(node, sync));
    this.node = node;
    this.#surroundings = surroundings;
  }

  protected doomed(): void {
    this.#surroundings.onDoomed(this);
  }

  /** As `start.ts` puts a node together. */
  async begin(): Promise<void> {
    const { chain, network, onFatal, onStarted } = this.#surroundings;
    const core = await this.#core();
    const { ledger } = core;
    this.ledger = ledger;
    const projector = await Projector.open({
      store: ledger.store,
      log: ledger.log,
      projections: CATALOG,
      onStopped: (_name, error) => {
        // The first of them that stops ends the process.
        if (!this.ended) onFatal(this, error);
      },
    });
    this.projector = projector;
    projector.offer([]);
    const { disk, index } = this.node;
    const seat = {
      index,
      blsSecretKey: chain.secretKeys[index]!,
      neverSigned: {
        isThere: async () => disk.neverSigned,
        remove: async () => {
          if (this.mayActOn('disk')) disk.neverSigned = false;
        },
      },
    };
    this.consensus = await startValidator(core, seat, network.linksOf(this), {
      committed: (blocks) => this.#committed(blocks),
      fatal: (error) => {
        if (!this.ended) onFatal(this, error);
      },
      prunedAway: () => undefined,
    });
    onStarted(this);
  }

  /** What the block-sync server of this node says. */
  answerBlocks(request: Uint8Array): Result<Uint8Array> | undefined {
    if (this.ledger === null || this.consensus === null) return undefined;
    const { epoch } = this.#surroundings.chain.validators;
    try {
      return answerSyncRequest(blockSource(this.ledger.log, epoch), request);
    } catch (error) {
      // As the server does it.
      if (error instanceof CodedError) return { ok: false, refusal: error };
      throw error;
    }
  }

  #committed(blocks: readonly CommittedBlock[]): void {
    if (!this.mayActOn('commit')) return;
    this.projector?.offer(
      blocks.map(({ block, changes }) => ({ header: block.header, events: block.events, changes })),
    );
    this.#surroundings.onCommitted(this, blocks);
  }

  async #core(): Promise<ValidatorCore> {
    const { book, chain, limits, network, tally } = this.#surroundings;
    const { clock, disk, index, peerId } = this.node;
    disk.checkLog();
    const { chainId, genesis, genesisCertificate, scheme, validators } = chain;
    const context = { chainId, validators, genesis: genesisCertificate };
    const pool = this.#pool();
    const events = new EventVerifier({
      chainId,
      verifySignature: verifyAsPeer,
      checkEvidence: (event) => checkEvidence(event, validators, pool),
      maxRemembered: MAX_REMEMBERED_EVENTS,
    });
    return {
      config: parseConfig({
        genesis: 'genesis.json',
        dataDirectory: 'data',
        limits: { mempoolEvents: limits.mempoolEvents, inboxMessages: limits.inboxMessages },
        submission: { waitingEvents: limits.waitingSubmissions },
      }),
      log: countingLog(tally),
      genesis,
      scheme: {
        ...scheme,
        sign: (secretKey, preimage) => {
          book.add(index, preimage);
          return scheme.sign(secretKey, preimage);
        },
      },
      context,
      identity: { sign: (message) => signAsPeer(peerId, message) },
      ledger: await openLedgerOn(this.store, genesis, sha256Hex(scheme.publicKeyOf(chain.secretKeys[index]!))),
      addresses: { of: () => [] },
      pool,
      events,
      admission: new Admission({
        context,
        verifier: pool,
        events,
        verifySignature: verifyAsPeer,
        maxUnderCheckPerPeer: MAX_MESSAGES_UNDER_CHECK_PER_PEER,
      }),
      nowMs: () => clock.nowMs(),
      sync: new BlockSyncClient(network.exchangeOf(this)),
    };
  }

  /** The production checks in place, after the time that a pairing takes. */
  #pool(): Verifier {
    const { chain, pairingMs, scheduler } = this.#surroundings;
    const context = { ...chain, genesis: chain.genesisCertificate };
    return {
      run: (job) =>
        new Promise((resolve) => {
          this.underWay.verificationJobs++;
          scheduler.after(pairingMs(this.node), this, () => {
            this.underWay.verificationJobs--;
            resolve(ok(runVerificationJob(job, context, chain.scheme)));
          });
        }),
    };
  }
}
