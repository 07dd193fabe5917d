/**
 * A whole network in one process: validators, their machines, what is between them, those who submit, and the checkers
 * that look at every step. It does what it is told (`episode.ts` says what a seed makes of it) and nothing by chance.
 */
import type { CommittedBlock } from '../../src/consensus/engine.ts';
import { CodedError } from '../../src/base/result.ts';
import type { SignatureScheme } from '../../src/qc/scheme.ts';
import type { Adversary, AdversaryTools } from './adversaries.ts';
import { AMPLE, type QueueLimits } from './cast.ts';
import { Checkers } from './checkers.ts';
import { Lens, type SeenFrame } from './lens.ts';
import type { CrashKind } from './machine.ts';
import type { Flip } from './simulated-disk.ts';
import { SigningBook, simulatedChain, type SimulatedChain } from './simulated-keys.ts';
import { SimulatedNetwork } from './simulated-network.ts';
import { Life, SimulatedValidator, type Surroundings } from './simulated-validator.ts';
import { Stage, textOf } from './stage.ts';
import { Submitters } from './submitters.ts';
import { untold } from './twins.ts';

export interface WorldOptions {
  readonly seed: number;
  readonly validators: number;
  readonly commitDepth: 2 | 3;
  readonly submitters: number;
  /** Validators propose and approve actions. */
  readonly operators?: boolean;
  readonly limits?: QueueLimits;
  /** Validators of which there are two, with one key: each is correct, both together are not. */
  readonly twins?: readonly number[];
  readonly scheme?: SignatureScheme;
  readonly onLine?: (line: string) => void;
}

/** Looking at the queues of a node costs about as much as a step. */
const LOOK_EVERY_STEPS = 16;

/** By these a node may stop whose disk is not what it wrote; none of them is of a bug. */
const DAMAGE_CODES: ReadonlySet<string> = new Set([
  'store-corrupt',
  'state-root-mismatch',
  'chain-mismatch',
  'key-mismatch',
  'layout-newer',
  'layout-older',
  'migration-unrecorded',
  'changes-not-kept',
]);

export class World extends Stage<SimulatedValidator, Life> {
  readonly chain: SimulatedChain;
  readonly book: SigningBook;
  readonly lens: Lens;
  readonly network: SimulatedNetwork;
  readonly nodes: readonly SimulatedValidator[];
  readonly submitters: Submitters;
  readonly checkers: Checkers;
  /** By node. */
  readonly adversaries = new Map<number, Adversary>();
  /** Nodes that broke the rules on purpose or lost their disk: nothing is promised of them. */
  readonly faulty = new Set<number>();
  /** By index in the set: there are two of each. */
  readonly twins: ReadonlySet<number>;
  /** Nodes that a damaged disk stopped, and that were started on it again. */
  readonly #stoppedByDamage = new Set<number>();

  constructor(options: WorldOptions) {
    const {
      commitDepth,
      limits = AMPLE,
      onLine,
      operators = false,
      scheme,
      seed,
      submitters,
      twins = [],
      validators,
    } = options;
    super(seed, onLine);
    this.twins = new Set(twins);
    this.chain = simulatedChain(validators, commitDepth, scheme);
    this.book = new SigningBook(validators);
    this.lens = new Lens(this.chain.chainId);
    const { book, chain, lens, scheduler, tally } = this;
    this.checkers = new Checkers({
      chain,
      book,
      limits,
      isFaulty: (index) => this.faulty.has(index),
      report: (violation) => {
        this.violation ??= violation;
      },
      count: (what) => tally.count(what),
    });
    this.network = new SimulatedNetwork({
      scheduler,
      seed,
      lens,
      tally,
      onSend: this.#leaving,
      onAnswer: this.#answering,
      onArrival: (at, from, frame) => this.adversaries.get(at.id)?.hears(from, lens.look(frame)) ?? true,
    });
    const surroundings: Surroundings = {
      chain,
      scheduler,
      network: this.network,
      book,
      tally,
      limits,
      pairingMs: (node) => 0.3 + 1.5 * this.chance(1, node.id),
      writeMs: (node, sync) => this.writeMs(node, sync),
      onStarted: (life) => {
        this.note(`${life.node.id} is up`);
        this.checkers.started(life);
      },
      onCommitted: this.#committed,
      onFatal: this.#fatal,
      onDoomed: (life) => this.doomed(life, life.node.id),
    };
    const indexes = [...Array.from({ length: validators }, (_, index) => index), ...twins];
    this.nodes = indexes.map((index, id) => new SimulatedValidator(id, index, surroundings));
    for (const { id, index } of this.nodes) if (this.twins.has(index)) this.faulty.add(id);
    this.network.connectAll(this.nodes);
    this.submitters = new Submitters(
      {
        scheduler,
        seed,
        chainId: chain.chainId,
        validators: chain.validators,
        nodes: () => this.nodes,
        tally,
        onAcknowledged: (life, event, height) => {
          this.note(`${life.node.id} acknowledges ${event.slice(0, 8)}`);
          this.checkers.acknowledged(life, event, height);
        },
        onRefused: (life, event, code) => this.checkers.submissionRefused(life, event, code),
      },
      submitters,
      operators,
    );
  }

  /** Rounds that were certified or given up so far. */
  get rounds(): number {
    return this.checkers.rounds;
  }

  /** What an adversary in this validator's place may use. */
  toolsOf(index: number, seed: number): AdversaryTools {
    const { book, chain, network, scheduler, tally } = this;
    return {
      book,
      chain,
      index,
      seed,
      send: (to, frame) => network.bring(this.node(index), this.node(to), frame),
      after: (delayMs, run) => void scheduler.after(delayMs, null, run),
      count: (what) => tally.count(`adversary: ${what}`),
    };
  }

  startAll(): void {
    for (const node of this.nodes) if (node.life === null) this.start(node.id);
  }

  protected crashed(id: number, how: CrashKind): void {
    if (how === 'disk') this.faulty.add(id);
    this.checkers.stopped(id, how);
  }

  protected override stepped(): void {
    const { last, steps } = this.scheduler;
    if (steps % LOOK_EVERY_STEPS === 0 && last instanceof Life) this.checkers.lookAtQueues(last);
  }

  /** A bit flips on its disk: it may stop, lie or be silent, but it may not break a promise that others rely on. */
  flip(id: number, flip: Flip): void {
    const hit = this.node(id).disk.flip(flip);
    if (hit === null) return;
    this.faulty.add(id);
    this.tally.count(`disk: a bit flipped, ${flip.in}`);
    this.note(`${id} has a flipped bit: ${hit}`);
  }

  readonly #leaving = (life: Life, to: SimulatedValidator, seen: SeenFrame): readonly Uint8Array[] => {
    const { node } = life;
    this.note(`${node.id}>${to.id} ${seen.kind} ${seen.round} ${seen.frame.length}`);
    const byzantine = this.adversaries.get(node.id);
    if (byzantine !== undefined) return byzantine.frames(to, seen);
    if (!this.twins.has(node.index)) this.checkers.sent(life, seen);
    return [this.#heard(to, seen)];
  };

  readonly #answering = (server: SimulatedValidator, answer: Uint8Array): Uint8Array =>
    this.adversaries.get(server.id)?.answer(answer) ?? answer;

  #heard(to: SimulatedValidator, seen: SeenFrame): Uint8Array {
    return this.twins.has(to.index) || this.adversaries.has(to.id) ? untold(seen) : seen.frame;
  }

  readonly #committed = (life: Life, blocks: readonly CommittedBlock[]): void => {
    for (const { block } of blocks) {
      this.note(`${life.node.id} commits ${block.header.height} ${block.id} of ${block.events.length}`);
      this.tally.count('blocks committed by a node');
    }
    this.checkers.committed(life, blocks);
  };

  readonly #fatal = (life: Life, error: unknown): void => {
    const { id } = life.node;
    const isFull = error instanceof CodedError && error.code === 'store-disk-full';
    if (isFull) {
      this.tally.count('crash: the disk was full');
      this.crash(id, 'process');
      return;
    }
    if (life.node.disk.damage !== 'none' && error instanceof CodedError && DAMAGE_CODES.has(error.code)) {
      return this.#stopped(id, error.code);
    }
    const details = { id, message: textOf(error) };
    this.violate({ checker: 'process', message: 'a process never gives up by itself', details });
  };

  /** It is started again as it is, when all heals; when that is of no use, on a new disk. */
  #stopped(id: number, code: string): void {
    this.tally.count(`disk: damage told by ${code}`);
    const isAgain = this.#stoppedByDamage.has(id);
    if (isAgain) this.#stoppedByDamage.delete(id);
    else this.#stoppedByDamage.add(id);
    this.crash(id, isAgain ? 'disk' : 'process');
  }
}
