/**
 * A machine of a simulation: a disk, a clock, and at most one process at a time. The disk and the clock outlive the
 * process, which may end between any two of its effects.
 */
import type { Scheduler } from './scheduler.ts';
import { SimulatedClock } from './simulated-clock.ts';
import { SimulatedDisk, SimulatedStore, type DiskFaults } from './simulated-disk.ts';
import type { TimedProcess } from './virtual-globals.ts';

/** The process alone ends, or its machine loses power, or its disk is lost as well. */
export type CrashKind = 'process' | 'power' | 'disk';

export interface MachineSurroundings<M> {
  readonly scheduler: Scheduler;
  readonly writeMs: (node: M, sync: boolean) => number;
}

export abstract class Machine<L extends MachineProcess> {
  readonly id: number;
  readonly disk = new SimulatedDisk();
  readonly clock: SimulatedClock;
  readonly diskFaults: { mode: DiskFaults['mode'] } = { mode: 'ok' };
  /** Null while it is down. */
  life: L | null = null;
  lives = 0;

  constructor(id: number, scheduler: Scheduler) {
    this.id = id;
    this.clock = new SimulatedClock(scheduler);
  }

  abstract start(): void;

  /** The process has ended. @param withPower and its machine with it */
  protected abstract stopped(life: L, withPower: boolean): void;

  /**
   * The process ends here and now; nothing that it had under way goes on.
   *
   * @param finished how many of the batches under way still reach the disk
   * @param lost with a power cut: how many of the last batches that were not synced are gone; null: the process alone ends
   */
  stop(finished: number, lost: number | null): void {
    const { life } = this;
    if (life === null) return;
    life.ended = true;
    this.life = null;
    for (const { operations, sync } of life.store.writing.slice(0, finished)) this.disk.apply(operations, sync);
    if (lost !== null) this.disk.powerCut(lost);
    this.stopped(life, lost !== null);
  }
}

/** One process, from its start to its end. */
export abstract class MachineProcess implements TimedProcess {
  ended = false;
  readonly store: SimulatedStore;
  readonly diskFaults: DiskFaults;
  /** Effects until the process is stopped; null: it is not. */
  effectsLeft: number | null = null;
  /** What happens to it then. */
  endsBy: CrashKind = 'process';
  readonly #clock: SimulatedClock;

  constructor(
    machine: Pick<Machine<MachineProcess>, 'clock' | 'disk' | 'diskFaults'>,
    scheduler: Scheduler,
    writeMs: (sync: boolean) => number,
  ) {
    const { clock, disk, diskFaults } = machine;
    this.#clock = clock;
    this.diskFaults = {
      get mode() {
        return diskFaults.mode;
      },
      writeMs,
      onEffect: () => void this.mayActOn('disk'),
    };
    this.store = new SimulatedStore(disk, scheduler, this, this.diskFaults);
  }

  get realMsPerMs(): number {
    return this.#clock.realMsPerMs;
  }

  /** Every effect on the world passes here: a process may end between any two of them. @returns whether it lives on */
  mayActOn(_what: 'disk' | 'send' | 'commit'): boolean {
    if (this.ended) return false;
    if (this.effectsLeft !== null && this.effectsLeft-- <= 0) this.doomed();
    return !this.ended;
  }

  /** It is to be stopped at this effect. */
  protected abstract doomed(): void;
}
