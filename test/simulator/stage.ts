/**
 * What every simulated network stands on, whatever protocol its nodes speak: virtual time, the trace of what happened,
 * the first violation, and what is done to machines. It does what it is told and nothing by chance of its own.
 */
import { fractionOf } from './dice.ts';
import type { Violation } from './checkers/violation.ts';
import type { MachineAction } from './episode.ts';
import type { CrashKind, Machine, MachineProcess } from './machine.ts';
import { Scheduler } from './scheduler.ts';
import { Tally } from './tally.ts';
import { Trace } from './trace.ts';

/** Somebody wants to be woken at once, again and again. */
const MOST_AT_ONE_TIME = 100_000;
/** A slow disk takes so many times as long. */
const SLOW_DISK = 200;

export abstract class Stage<M extends Machine<L>, L extends MachineProcess> {
  readonly scheduler = new Scheduler();
  readonly tally = new Tally();
  readonly trace: Trace;
  violation: Violation | null = null;
  readonly #seed: number;
  /** When the last line of the trace was written, and that as text. */
  #notedMs = NaN;
  #noted = '';
  /** When the last happening was, and which was the first of that time. */
  #lookedMs = NaN;
  #lookedSteps = 0;

  /** @param onLine is given every line of the trace */
  constructor(seed: number, onLine?: (line: string) => void) {
    this.#seed = seed;
    this.trace = new Trace(onLine);
  }

  abstract readonly nodes: readonly M[];

  /** After everything else of a crash. */
  protected abstract crashed(id: number, how: CrashKind): void;

  /** After every happening. */
  protected stepped(): void {
    // Whoever looks at each step says what for.
  }

  node(id: number): M {
    return this.nodes[id]!;
  }

  start(id: number): void {
    this.note(`${id} starts`);
    this.node(id).start();
  }

  crash(id: number, how: CrashKind): void {
    const node = this.node(id);
    if (node.life === null) return;
    const { writing } = node.life.store;
    const finished = Math.floor(this.chance(2, id) * (writing.length + 1));
    if (writing.length > finished) this.tally.count('disk: a write torn');
    const unsynced = node.disk.unsyncedBatches;
    const lost = how === 'process' ? null : Math.floor(this.chance(3, id) * (unsynced + 1));
    if (lost !== null && lost > 0) this.tally.count('disk: unsynced writes lost', lost);
    node.stop(finished, lost);
    if (how === 'disk') node.disk.wipe();
    this.crashed(id, how);
    this.note(`${id} crashes: ${how}`);
  }

  /** It came to an effect at which it was to be stopped. */
  protected doomed({ endsBy }: L, id: number): void {
    this.tally.count(`crash: ${endsBy === 'process' ? '' : `${endsBy}, `}between two effects`);
    this.crash(id, endsBy);
  }

  performOn(action: MachineAction): void {
    const { node } = action;
    if (action.kind === 'disk') {
      this.tally.count(`disk: ${action.mode}`);
      this.node(node).diskFaults.mode = action.mode;
      this.scheduler.after(action.forMs, null, () => this.mend(node));
      return;
    }
    const { life } = this.node(node);
    if (life === null) return;
    const { atEffect, downMs, how } = action;
    if (atEffect !== null) {
      life.effectsLeft = atEffect;
      life.endsBy = how;
      this.scheduler.after(downMs + 50, null, () => this.mend(node));
      return;
    }
    this.tally.count(`crash: ${how}`);
    this.crash(node, how);
    this.scheduler.after(downMs, null, () => this.mend(node));
  }

  /** Its disk works again, and it runs. */
  mend(id: number): void {
    const node = this.node(id);
    node.diskFaults.mode = 'ok';
    if (node.life === null) this.start(id);
  }

  /** Runs until then, or a violation. */
  runUntil(atMs: number, isDone: () => boolean = () => false): void {
    let done = isDone();
    while (this.violation === null && !done && this.#step(atMs)) done = isDone();
    if (this.violation === null && !done) this.scheduler.nowMs = Math.max(this.scheduler.nowMs, atMs);
  }

  #step(untilMs: number): boolean {
    try {
      const happened = this.scheduler.step(untilMs);
      if (happened) this.#look();
      return happened;
    } catch (error) {
      this.threw(error);
      return false;
    }
  }

  #look(): void {
    const { nowMs, steps } = this.scheduler;
    if (nowMs !== this.#lookedMs) {
      this.#lookedMs = nowMs;
      this.#lookedSteps = steps;
    } else if (steps - this.#lookedSteps > MOST_AT_ONE_TIME) {
      this.violate({ checker: 'process', message: 'time goes on', details: { nowMs, happenings: MOST_AT_ONE_TIME } });
    }
    this.stepped();
  }

  /** What a process throws, or rejects, where nobody catches it would end it. */
  threw(error: unknown): void {
    this.violate({ checker: 'process', message: 'a process throws nothing', details: { message: textOf(error) } });
  }

  violate(violation: Violation): void {
    this.violation ??= violation;
  }

  note(text: string): void {
    const { nowMs } = this.scheduler;
    // Much happens at once, and a number becomes text slowly.
    if (nowMs !== this.#notedMs) {
      this.#notedMs = nowMs;
      this.#noted = nowMs.toFixed(3);
    }
    this.trace.line(`${this.#noted} ${text}`);
  }

  protected writeMs(node: M, sync: boolean): number {
    const slow = node.diskFaults.mode === 'slow' ? SLOW_DISK : 1;
    return slow * (sync ? 0.2 + 0.8 * this.chance(4, node.id) : 0.05);
  }

  protected chance(use: number, id: number): number {
    return fractionOf(this.#seed, 900 + use, id, this.scheduler.steps);
  }
}

/** With where it was thrown, if it was. */
export function textOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
