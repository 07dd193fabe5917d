/** All checkers, told of everything that they look at, at every step. */
import { CodedError } from '../../src/base/result.ts';
import type { Hash } from '../../src/base/hash.ts';
import type { CommittedBlock } from '../../src/consensus/engine.ts';
import { decodeSafetyRecord, type SafetyRecord } from '../../src/hotstuff/safety-record.ts';
import type { HotstuffMessage } from '../../src/hotstuff/messages.ts';
import { BlockLog } from '../../src/ledger/block-log.ts';
import { blockKey, fromBigEndian, HEAD_KEY, heightKey, SAFETY_KEY, uncommittedKey } from '../../src/ledger/layout.ts';
import { MAX_EVENTS_PER_FRAME } from '../../src/node/peer-frame.ts';
import type { QueueLimits } from './cast.ts';
import { AcknowledgementChecker } from './checkers/acknowledgements.ts';
import { BallotChecker, type DurableView } from './checkers/ballots.ts';
import { BoundsChecker } from './checkers/bounds.ts';
import { checkEvidence } from './checkers/evidence.ts';
import { CertificateChecker } from './checkers/certificates.ts';
import { ChainChecker } from './checkers/chain.ts';
import { DurabilityChecker } from './checkers/durability.ts';
import { ReplayChecker } from './checkers/replay.ts';
import type { Report } from './checkers/violation.ts';
import type { SeenFrame } from './lens.ts';
import type { CrashKind } from './machine.ts';
import { instantStore } from './simulated-disk.ts';
import type { SigningBook, SimulatedChain } from './simulated-keys.ts';
import type { Life, SimulatedValidator } from './simulated-validator.ts';

export interface CheckersOptions {
  readonly chain: SimulatedChain;
  readonly book: SigningBook;
  readonly limits: QueueLimits;
  readonly isFaulty: (validator: number) => boolean;
  readonly report: Report;
  readonly count: (what: string) => void;
}

/** Forks beside the chain are bounded at 64; the chain itself by how long nothing commits. */
const MAX_UNCOMMITTED_BLOCKS = 512;
/** 64 messages of each peer are admitted at a time, with up to three checks each. */
const MAX_JOBS_PER_PEER = 192;
/** One an id that is wanted, and one for sealed blocks. */
const MAX_EXCHANGES = 64;
/** The loop's and the projector's. */
const MAX_WRITES = 2;
/** As `inboxShares` calls it. */
const EVENTS_SHARE = 'events';

export class Checkers {
  readonly chain: ChainChecker;
  readonly certificates: CertificateChecker;
  readonly acknowledgements: AcknowledgementChecker;
  /** The highest round that anybody spoke of. */
  rounds = 0;
  readonly #ballots: BallotChecker;
  readonly #bounds: BoundsChecker;
  readonly #durability: DurabilityChecker;
  readonly #replay: ReplayChecker;
  readonly #options: CheckersOptions;
  readonly #views = new Map<number, DiskView>();
  /** The last frame of each node that was looked at: one that goes to several is one. */
  readonly #lastSent = new Map<number, SeenFrame>();

  constructor(options: CheckersOptions) {
    const { book, chain, count, limits, report } = options;
    this.#options = options;
    this.certificates = new CertificateChecker(chain, book, report);
    this.chain = new ChainChecker(chain, this.certificates, report);
    this.acknowledgements = new AcknowledgementChecker((event) => this.chain.heightOf(event), report);
    this.#ballots = new BallotChecker(report);
    this.#durability = new DurabilityChecker(report);
    this.#replay = new ReplayChecker({
      chain,
      report,
      count,
      onSeal: (id, sealed) => this.chain.checkSeal(id, sealed),
    });
    this.#bounds = new BoundsChecker(
      {
        inboxMessages: limits.inboxMessages,
        // What is larger than its share gets in alone.
        inboxEvents: Math.max(limits.mempoolEvents, MAX_EVENTS_PER_FRAME),
        mempoolEvents: limits.mempoolEvents,
        waitingSubmissions: limits.waitingSubmissions,
        uncommittedBlocks: MAX_UNCOMMITTED_BLOCKS,
        verificationJobs: MAX_JOBS_PER_PEER * chain.validators.n,
        exchanges: MAX_EXCHANGES,
        writes: MAX_WRITES,
      },
      report,
    );
  }

  /** A correct node's frame leaves its machine. */
  sent({ node }: Life, seen: SeenFrame): void {
    const { message, round } = seen;
    if (message === null || this.#lastSent.get(node.id) === seen) return;
    this.#lastSent.set(node.id, seen);
    this.rounds = Math.max(this.rounds, round);
    // A node without its disk is silent for good; whatever it signs is a violation. One whose disk brought back what it
    // held before is believed as long as nobody tells it: it is as faulty as one that was restored from a copy.
    if (node.disk.damage !== 'forgetful') this.#ballots.sent(node.id, message, this.#viewOf(node));
    this.#checkCertificates(node.id, message);
  }

  committed(life: Life, blocks: readonly CommittedBlock[]): void {
    const { ledger, node } = life;
    const by = { id: node.id, blockAt: (height: number) => ledger?.log.sealedBlockAt(height) };
    for (const { sealed } of blocks) this.chain.committed(by, sealed);
    const told = blocks.at(-1)?.block.header.height ?? 0;
    if (node.disk.damage === 'none') this.#durability.told(node.id, told, this.#viewOf(node).height());
    this.lookAtQueues(life);
  }

  /** At any time, whether anything is committed or not. */
  lookAtQueues({ consensus, ended, node, store, underWay }: Life): void {
    if (consensus === null || ended) return;
    const { mempoolEvents, uncommittedBlocks } = consensus.status();
    let inboxMessages = 0;
    for (const [of, waiting] of consensus.waiting) {
      // Its own messages to itself are as many as it makes in a turn.
      if (of !== EVENTS_SHARE && of !== node.index) inboxMessages = Math.max(inboxMessages, waiting);
    }
    this.#bounds.check(node.id, {
      ...underWay,
      inboxMessages,
      inboxEvents: consensus.waiting.get(EVENTS_SHARE) ?? 0,
      mempoolEvents,
      uncommittedBlocks,
      waitingSubmissions: consensus.submissions.waiting,
      writes: store.writing.length,
    });
  }

  /** What its log holds at a start: of its last blocks it may have told nobody when its process ended. */
  started(life: Life): void {
    const { disk, id } = life.node;
    const height = this.#lookAtLog(life);
    if (disk.damage === 'none') this.#durability.started(id, height);
  }

  acknowledged(life: Life, event: Hash, height: number | null): void {
    const { node } = life;
    const isWhole = node.disk.damage === 'none';
    try {
      this.#lookAtLog(life);
    } catch (error) {
      // A damaged disk may not show its log any more, and then says nothing of the event either.
      if (isWhole || !(error instanceof CodedError)) throw error;
      return;
    }
    const durableHeight = isWhole ? this.#viewOf(node).height() : Infinity;
    this.acknowledgements.acknowledge(node.id, event, height, durableHeight);
    this.#durability.told(node.id, this.chain.heightOf(event) ?? 0, durableHeight);
  }

  /** @returns the height of its log, as its process sees it, whose blocks are known afterwards */
  #lookAtLog({ ledger, node }: Life): number {
    if (ledger === null) return -1;
    const { log } = ledger;
    const { blockId, height } = log.head();
    const sealed = this.chain.idAt(height) === blockId ? undefined : log.sealedBlockAt(height);
    if (sealed !== undefined) this.chain.committed({ id: node.id, blockAt: (at) => log.sealedBlockAt(at) }, sealed);
    return height;
  }

  submissionRefused({ node }: Life, event: Hash, code: string): void {
    this.acknowledgements.refused(node.id, event, code);
  }

  stopped(id: number, how: CrashKind): void {
    this.#lastSent.delete(id);
    if (how === 'disk') this.#durability.lost(id);
  }

  /** Everything that these keep against a replay of their logs. A damaged disk is held to nothing. */
  replay(lives: readonly Life[]): void {
    const { isFaulty, report } = this.#options;
    const whole = lives.flatMap(({ ledger, node: { disk, id } }) =>
      ledger === null || disk.damage !== 'none' ? [] : { id, disk, log: ledger.log },
    );
    for (const kept of whole.sort((a, b) => a.log.head().height - b.log.head().height)) {
      this.#replay.check(kept);
      checkEvidence(kept, isFaulty, report);
    }
  }

  #checkCertificates(by: number, message: HotstuffMessage): void {
    const { certificates } = this;
    switch (message.kind) {
      case 'proposal':
        certificates.checkQuorum(message.justify, by);
        if (message.timeoutCertificate !== null) certificates.checkTimeout(message.timeoutCertificate, by);
        return;
      case 'timeout':
        certificates.checkQuorum(message.highCertificate, by);
        if (message.timeoutCertificate !== null) certificates.checkTimeout(message.timeoutCertificate, by);
        return;
      case 'certificate':
        return certificates.checkQuorum(message.certificate, by);
      case 'timeoutCertificate':
        return certificates.checkTimeout(message.certificate, by);
      default:
        return;
    }
  }

  #viewOf(node: SimulatedValidator): DiskView {
    let view = this.#views.get(node.id);
    if (view === undefined) {
      view = new DiskView(node, this.#options.chain.chainId);
      this.#views.set(node.id, view);
    }
    return view;
  }
}

/** What is safe on a disk: what its process reads may still be lost, what is here is not. */
class DiskView implements DurableView {
  readonly #node: SimulatedValidator;
  readonly #log: BlockLog;
  #bytes: Uint8Array | undefined;
  #record: SafetyRecord | undefined;
  #headBytes: Uint8Array | undefined;
  #height = -1;

  constructor(node: SimulatedValidator, chainId: string) {
    this.#node = node;
    const { disk } = node;
    const durable = { ...instantStore(disk), get: (key: Uint8Array) => disk.durable(key) };
    this.#log = BlockLog.over(durable, { chainId, validatorKey: null });
  }

  get isDamaged(): boolean {
    return this.#node.disk.damage !== 'none';
  }

  safety(): SafetyRecord | undefined {
    const bytes = this.#node.disk.durable(SAFETY_KEY);
    if (bytes === undefined) return undefined;
    if (bytes !== this.#bytes) {
      const decoded = decodeSafetyRecord(bytes);
      this.#record = decoded.ok ? decoded.value : undefined;
      this.#bytes = bytes;
    }
    return this.#record;
  }

  holdsBlock(id: Hash): boolean {
    const { disk } = this.#node;
    if (disk.durable(uncommittedKey(id)) !== undefined) return true;
    const height = disk.durable(heightKey(id));
    return height !== undefined && disk.durable(blockKey(fromBigEndian(height))) !== undefined;
  }

  /** Of the last block in its log; -1: there is none. */
  height(): number {
    const bytes = this.#node.disk.durable(HEAD_KEY);
    if (bytes === undefined) return -1;
    if (bytes !== this.#headBytes) {
      this.#height = this.#log.head().height;
      this.#headBytes = bytes;
    }
    return this.#height;
  }

  committedRound(): number {
    const height = this.height();
    return height < 0 ? -1 : (this.#log.sealedBlockAt(height)?.block.header.round ?? -1);
  }
}
