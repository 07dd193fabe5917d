/**
 * Virtual time: a queue of what happens when, and nothing else that could make anything happen.
 *
 * Production code answers by promises. After each happening all promise reactions are run to their end before the next
 * one begins (`process._tickCallback` does what Node does between two callbacks), so that a whole run is one synchronous
 * function of its inputs. It must be entered from a macrotask: microtasks do not nest.
 */
import { assert } from '../../src/base/assert.ts';

/** What work belongs to; when it has ended, its work no longer happens. */
export interface Owner {
  readonly ended: boolean;
  /** Gets no turn before this time: what would have happened by then happens then, in the same order. It never falls. */
  readonly pausedUntilMs?: number;
}

export interface Handle {
  cancel(): void;
}

class Happening implements Handle {
  readonly atMs: number;
  /** Before it was put off. */
  readonly dueMs: number;
  readonly order: number;
  readonly owner: Owner | null;
  run: (() => void) | null;
  #later: Happening | null = null;

  constructor(atMs: number, order: number, owner: Owner | null, run: (() => void) | null, dueMs = atMs) {
    this.atMs = atMs;
    this.dueMs = dueMs;
    this.order = order;
    this.owner = owner;
    this.run = run;
  }

  cancel(): void {
    this.run = null;
    this.#later?.cancel();
  }

  /** Put off. */
  at(atMs: number): Happening {
    this.#later = new Happening(atMs, this.order, this.owner, this.run, this.dueMs);
    return this.#later;
  }
}

const drainPromises = (process as unknown as { _tickCallback: () => void })._tickCallback;

/** Runs a whole synchronous simulation from a macrotask of its own. */
export function fromMacrotask<T>(run: () => T): Promise<T> {
  return new Promise((resolve, reject) => {
    setImmediate(() => {
      try {
        resolve(run());
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    });
  });
}

export class Scheduler {
  /** Milliseconds since the start, with fractions. */
  nowMs = 0;
  /** Whose work runs now. */
  current: Owner | null = null;
  /** Whose work ran last, after it has ended. */
  last: Owner | null = null;
  /** Happenings so far. */
  steps = 0;
  readonly #heap: Happening[] = [];
  #order = 0;

  /** First come, first served among those of the same time. */
  after(delayMs: number, owner: Owner | null, run: () => void): Handle {
    assert(delayMs >= 0, 'nothing happens in the past', { delayMs });
    const happening = new Happening(this.nowMs + delayMs, this.#order++, owner, run);
    this.#push(happening);
    return happening;
  }

  /** @returns whether anything was left to happen until then */
  step(untilMs: number): boolean {
    for (;;) {
      const next = this.#heap[0];
      if (next === undefined || next.atMs > untilMs) return false;
      this.#pop();
      if (next.run === null || next.owner?.ended === true) continue;
      const { pausedUntilMs = 0 } = next.owner ?? {};
      if (pausedUntilMs > next.atMs) {
        this.#push(next.at(pausedUntilMs));
        continue;
      }
      this.nowMs = next.atMs;
      this.steps++;
      this.run(next.owner, next.run);
      return true;
    }
  }

  /** At once, as `owner`, with all that follows from it in promises. */
  run(owner: Owner | null, work: () => void): void {
    this.current = owner;
    this.last = owner;
    work();
    drainPromises();
    this.current = null;
  }

  #push(happening: Happening): void {
    const heap = this.#heap;
    let place = heap.push(happening) - 1;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (!isBefore(happening, heap[parent]!)) break;
      heap[place] = heap[parent]!;
      place = parent;
    }
    heap[place] = happening;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let place = 0;
    for (;;) {
      const left = 2 * place + 1;
      if (left >= heap.length) break;
      const right = left + 1;
      const child = right < heap.length && isBefore(heap[right]!, heap[left]!) ? right : left;
      if (!isBefore(heap[child]!, last)) break;
      heap[place] = heap[child]!;
      place = child;
    }
    heap[place] = last;
  }
}

function isBefore(a: Happening, b: Happening): boolean {
  if (a.atMs !== b.atMs) return a.atMs < b.atMs;
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order);
}
