/**
 * The one loop: take a bounded batch from a bounded inbox, step the engine, write what must be durable in one batch, then
 * do what follows from it, then repeat. Clock, disk, keys and network are handed in, so that a simulation drives exactly
 * this code.
 *
 * An engine says by its contract how its disk works. `before`: a turn ends when its batch is durable and what follows is
 * done, so the next step is of an engine that has nothing under way (HotStuff, `consensus/engine.ts`). `beside`: the next
 * turn begins at once, what it wants written gathers while the disk is busy, and goes there in one batch (Raft,
 * `raft/contract.ts`).
 */
import { assert } from '../base/assert.ts';
import type { Store, StoreOperation } from '../store/store.ts';
import { GroupCommit, type Write } from './group-commit.ts';
import { Inbox, type ShareOf } from './inbox.ts';

/** What the loop needs of an engine: a synchronous state machine that asks to be woken. */
export interface Steps<I, E> {
  step(input: I, nowMs: number): readonly E[];
  wakeAtMs(): number | undefined;
}

/** What the effects of one turn come to, in the one order in which it may happen. */
export interface Plan {
  /** One atomic batch. */
  readonly operations: readonly StoreOperation[];
  /** Needs no disk, and promises nothing to anybody that the disk must keep. */
  meanwhile(): void | Promise<void>;
  /** Needs `meanwhile` to be done, the operations to be durable, and all of earlier turns. */
  onceDurable(): void | Promise<void>;
}

export interface LoopOptions<I, E> {
  readonly engine: Steps<I, E>;
  readonly store: Store;
  readonly plan: (effects: readonly E[]) => Plan;
  readonly disk: DiskPolicy;
  readonly nowMs: () => number;
  readonly shareOf: ShareOf<I>;
}

export type DiskPolicy =
  | { readonly kind: 'before' }
  /** @param failed what is on disk is unknown, nothing that waited for it was done, and the process must stop */
  | { readonly kind: 'beside'; readonly failed: (error: unknown) => void };

/** Inputs of one turn: bounds the batch on disk and the time until a vote leaves. */
const MAX_INPUTS_PER_TURN = 256;

export class Loop<I, E> {
  readonly #options: LoopOptions<I, E>;
  readonly #inbox: Inbox<I>;
  readonly #disk: GroupCommit;
  #turning = false;

  constructor(options: LoopOptions<I, E>) {
    this.#options = options;
    this.#inbox = new Inbox(options.shareOf);
    this.#disk = new GroupCommit(options.store);
  }

  /** @returns false when the inbox has no room: the input is dropped, as the network may drop it */
  offer(input: I): boolean {
    return this.#inbox.offer(input);
  }

  /** An input of a turn's own making: the next turn takes it, whatever else waits. */
  put(input: I): void {
    this.#inbox.put(input);
  }

  /** A turn ends before what it asked for is done: so what comes in meanwhile is looked at before the next one. */
  get isBeside(): boolean {
    return this.#options.disk.kind === 'beside';
  }

  /** What waits in the inbox, by share. */
  get waiting(): ReadonlyMap<string | number, number> {
    return this.#inbox.used;
  }

  hasWork(): boolean {
    return this.#inbox.size > 0;
  }

  wakeAtMs(): number | undefined {
    return this.#options.engine.wakeAtMs();
  }

  /** Settles when the disk has nothing under way. */
  settled(): Promise<void> {
    return this.#disk.settled();
  }

  /**
   * One turn over what waits in the inbox. When it rejects, what is on disk is unknown and nothing was sent: the
   * process must stop.
   */
  async turn(): Promise<void> {
    assert(!this.#turning, 'turns follow each other');
    this.#turning = true;
    const { disk, engine, nowMs, plan } = this.#options;
    const effects: E[] = [];
    for (const input of this.#inbox.take(MAX_INPUTS_PER_TURN)) {
      for (const effect of engine.step(input, nowMs())) effects.push(effect);
    }
    if (effects.length > 0) {
      const planned = plan(effects);
      if (disk.kind === 'beside') this.#performBeside(planned, disk.failed);
      // A ballot on its way to a quorum, most often.
      else await this.#perform(planned);
    }
    this.#turning = false;
  }

  /** Beside the engine's own: written in order with it, in the group that gathers. */
  write(write: Write): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#disk.add(write, resolve, reject);
    });
  }

  /** Runs when what is with the disk by now is written, and whoever waited for it was told. */
  afterWrites(run: () => void): void {
    const { disk } = this.#options;
    assert(disk.kind === 'beside', 'the disk of a turn that ended is busy only beside it');
    // What was told may still wait to leave in this tick.
    this.#disk.add({ operations: [], sync: false }, () => setImmediate(run), disk.failed);
  }

  /**
   * The same without a promise.
   *
   * @param written runs once it is done; null where nobody waits: it goes with the next write, and alone a little later
   */
  writeLater(write: Write, written: (() => void) | null): void {
    const { disk } = this.#options;
    assert(disk.kind === 'beside', 'nobody waits for a write only where somebody hears of its failure');
    if (written === null) this.#disk.addForLater(write, disk.failed);
    else this.#disk.add(write, written, disk.failed);
  }

  async #perform(plan: Plan): Promise<void> {
    const { operations } = plan;
    const durable = operations.length > 0 ? this.write({ operations, sync: true }) : Promise.resolve();
    // Asynchronous in form only: so that a failure here does not leave the batch's own failure unheard.
    await Promise.all([(async () => plan.meanwhile())(), durable]);
    const rest = plan.onceDurable();
    if (rest !== undefined) await rest;
  }

  #performBeside(plan: Plan, failed: (error: unknown) => void): void {
    const { operations } = plan;
    void plan.meanwhile();
    this.#disk.add({ operations, sync: operations.length > 0 }, () => void plan.onceDurable(), failed);
  }
}
